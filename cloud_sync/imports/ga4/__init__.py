"""Reports of a Google Analytics 4 property, by its Data API.

Reading order: ``config``, ``report`` (an answer as readings), ``source`` (day by day, page by page).
"""

from cloud_sync.imports.ga4.config import Ga4Settings, check
from cloud_sync.imports.ga4.source import Ga4Source
from cloud_sync.imports.port import ImportContext
from headrace.plugins import Plugin


def build(settings: Ga4Settings, *, context: ImportContext) -> Ga4Source:
    """A source for these settings; asks when it is iterated."""
    return Ga4Source(settings, context)


PLUGIN = Plugin(__name__, Ga4Settings, build, check)
