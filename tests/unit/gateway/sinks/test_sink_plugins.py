"""Every sink that is installed: its folder is complete, and its sample is what the gateway reads."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from importlib.resources import files

import pytest

from gateway.sinks import SinkSettings
from headrace.config import FaultList, PluginTable
from headrace.plugins import SINKS, find, names, read_plugins


@pytest.mark.parametrize("name", names(SINKS))
def test_the_folder_has_a_sample_that_loads_and_a_readme(name: str) -> None:
    """Also with every line that stands there commented out."""
    plugin = find(SINKS, name)
    (table,) = tomllib.loads(plugin.sample())["sinks"]
    assert table.pop("plugin") == name
    found = FaultList()
    assert read_plugins(SINKS, (PluginTable("sinks[0]", name, table),), found)
    known = {field.name for field in fields(plugin.config)}
    said = [line[2:].split(" = ")[0] for line in plugin.sample().splitlines() if " = " in line and line.startswith("# ")]  # fmt: skip
    assert [key for key in said if key.isidentifier() and key not in known] == []
    assert files(plugin.package).joinpath("README.md").is_file()


@pytest.mark.parametrize("name", names(SINKS))
def test_every_sink_can_be_told_about_lanes(name: str) -> None:
    """The settings that all have are in one class."""
    assert issubclass(find(SINKS, name).config, SinkSettings)
