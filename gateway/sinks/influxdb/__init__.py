"""InfluxDB 1.x, 2.x and 3.x, and what speaks their write APIs.

Reading order: ``config``, ``lines`` (columns to line protocol), ``write`` (the three endpoints),
``partial`` (refusals taken apart), ``sink`` (answers to verdicts).
"""

from gateway.sinks.influxdb.config import InfluxDBSettings, check
from gateway.sinks.influxdb.sink import InfluxDBSink
from gateway.sinks.influxdb.write import RenewedWriter
from headrace.plugins import Plugin


def build(settings: InfluxDBSettings, *, site: str) -> InfluxDBSink:
    """A sink for these settings."""
    return InfluxDBSink(RenewedWriter(settings), measurement=settings.measurement, site=site)


PLUGIN = Plugin(__name__, InfluxDBSettings, build, check)
