"""The gateway's own readings: how it, its consumers and its devices are doing, journalled like any.

So dashboards on InfluxDB and queries on the lake see lag, gaps and silence, and rules can watch
them, without a second way for data to travel (docs/decisions/0010-gateway-vitals-as-readings.md).

Reading order:

- ``config``    the ``[vitals]`` table
- ``look``      what one look at the gateway finds, as readings (pure)
- ``firing``    alerts as numbers (pure)
- ``source``    takes the look
- ``consumer``  looks every so often, and follows alerts
"""

from gateway.vitals.config import VitalsConfig

__all__ = ["VitalsConfig"]
