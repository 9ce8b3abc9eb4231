"""The one registry and loader of plugins: inputs, sinks, sources, imports.

A plugin is a folder (code, ``sample.toml``, README.md, test cases) whose package exposes a ``Plugin``
named ``PLUGIN`` through an entry point, so that a third party can ship one::

    [project.entry-points."headrace.inputs"]
    host = "edge_agent.inputs.host:PLUGIN"

Only the plugins that a configuration names are imported: an unused one costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Any, Final

from headrace.config import FaultList, PluginTable, read_table
from headrace.errors import UsageError

INPUTS: Final = "headrace.inputs"
SINKS: Final = "headrace.sinks"
SOURCES: Final = "headrace.sources"
IMPORTS: Final = "headrace.imports"


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a plugin's package exposes: its settings' type and how to build it from them.

    ``check`` adds the faults that single settings cannot show (settings, their key, the list).
    """

    package: str
    config: type[Any]
    build: Callable[..., Any]
    check: Callable[[Any, str, FaultList], None] | None = None

    def sample(self) -> str:
        """The text of the folder's ``sample.toml``."""
        return files(self.package).joinpath("sample.toml").read_text(encoding="utf-8")


def names(group: str) -> list[str]:
    """The plugins of a group that are installed."""
    return sorted(point.name for point in entry_points(group=group))


def find(group: str, name: str) -> Plugin:
    """The plugin of that name.

    Raises:
        UsageError: there is none.
    """
    points: tuple[EntryPoint, ...] = tuple(entry_points(group=group, name=name))
    if not points:
        raise UsageError(f"no plugin {name!r} in {group}; known: {', '.join(names(group))}")
    plugin = points[0].load()
    if not isinstance(plugin, Plugin):
        raise UsageError(f"{points[0].value} is not a headrace.plugins.Plugin")
    return plugin


def read_plugins(
    group: str, tables: tuple[PluginTable, ...], found: FaultList
) -> list[tuple[PluginTable, Plugin, Any]]:
    """Type the settings of each table; faults go to ``found`` under the table's key."""
    loaded = []
    for table in tables:
        try:
            plugin = find(group, table.plugin)
        except UsageError as error:
            found.add(f"{table.key}.plugin", error.message)
            continue
        settings = read_table(plugin.config, table.settings, table.key, found)
        if settings is not None:
            if plugin.check is not None:
                plugin.check(settings, table.key, found)
            loaded.append((table, plugin, settings))
    return loaded
