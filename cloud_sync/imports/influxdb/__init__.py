"""The history of an InfluxDB database or bucket: versions 1, 2 and 3.

Reading order: ``config``, ``page`` (rows of a measurement as readings), ``keyset`` (pages behind a time),
``v1`` and ``v3`` (the servers that give them), ``v2`` (windows of time), ``source``.
"""

from cloud_sync.imports.influxdb.config import InfluxSettings, check
from cloud_sync.imports.influxdb.source import InfluxSource
from cloud_sync.imports.port import ImportContext
from headrace.plugins import Plugin


def build(settings: InfluxSettings, *, context: ImportContext) -> InfluxSource:
    """A source for these settings; asks when it is iterated."""
    return InfluxSource(settings, context)


PLUGIN = Plugin(__name__, InfluxSettings, build, check)
