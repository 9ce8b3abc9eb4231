"""Events of a Mixpanel project, by its raw export.

Reading order: ``config``, ``events`` (lines of an export as readings), ``source`` (day by day).
"""

from cloud_sync.imports.mixpanel.config import MixpanelSettings, check
from cloud_sync.imports.mixpanel.source import MixpanelSource
from cloud_sync.imports.port import ImportContext
from headrace.plugins import Plugin


def build(settings: MixpanelSettings, *, context: ImportContext) -> MixpanelSource:
    """A source for these settings; asks when it is iterated."""
    return MixpanelSource(settings, context)


PLUGIN = Plugin(__name__, MixpanelSettings, build, check)
