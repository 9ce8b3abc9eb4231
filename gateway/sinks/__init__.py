"""Sinks: where a site's readings go besides the lake.

Reading order:

- ``config``     what every sink can be told
- ``port``       what a sink is: accept, reject, keep
- ``consumer``   a sink behind a journal cursor
- ``influxdb/``  InfluxDB 1.x and 2.x, VictoriaMetrics
"""

from gateway.sinks.config import SinkSettings, check_names

__all__ = ["SinkSettings", "check_names"]
