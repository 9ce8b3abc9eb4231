"""An HTTP API that answers JSON, page by page.

Reading order: ``config``, ``paging`` (where the next page is; pure), ``asked`` (paging without an end), ``source``.
"""

from cloud_sync.imports.http.config import HttpSettings, check
from cloud_sync.imports.http.source import HttpSource
from cloud_sync.imports.port import ImportContext
from headrace.plugins import Plugin


def build(settings: HttpSettings, *, context: ImportContext) -> HttpSource:
    """A source for these settings; asks when it is iterated."""
    return HttpSource(settings, context)


PLUGIN = Plugin(__name__, HttpSettings, build, check)
