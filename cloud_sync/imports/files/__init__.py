"""CSV and Parquet files of a folder, a pattern or alone.

Reading order: ``config``, ``reading`` (a file as tables), ``source`` (which files, and how far), ``sniff``
(what a file looks like, and a mapping for it).
"""

from cloud_sync.imports.files.config import FilesSettings, check
from cloud_sync.imports.files.source import FilesSource
from cloud_sync.imports.port import ImportContext
from headrace.plugins import Plugin


def build(settings: FilesSettings, *, context: ImportContext) -> FilesSource:
    """A source for these settings."""
    return FilesSource(settings, context)


PLUGIN = Plugin(__name__, FilesSettings, build, check)
