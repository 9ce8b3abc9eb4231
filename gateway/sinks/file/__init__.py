"""Files in a folder: newline-delimited JSON, CSV, Parquet or Arrow.

Reading order: ``config``, ``table`` (columns of the files), ``formats`` (columns to bytes, and a part to
a file), ``state`` (what has been written), ``folder`` (names, totals, locks), ``sink`` (the order in which
all of it reaches the disk).
"""

from gateway.sinks.file.config import FileSettings, check
from gateway.sinks.file.sink import FileSink
from headrace.plugins import Plugin


def build(settings: FileSettings, *, site: str) -> FileSink:
    """A sink for these settings."""
    return FileSink(settings, site=site)


PLUGIN = Plugin(__name__, FileSettings, build, check)
