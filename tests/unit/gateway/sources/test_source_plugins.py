"""Every source that is installed: its folder is complete, and its sample is what the gateway reads."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from importlib.resources import files

import pytest

from headrace.config import FaultList, PluginTable
from headrace.plugins import SOURCES, find, names, read_plugins


@pytest.mark.parametrize("name", names(SOURCES))
def test_the_folder_has_a_sample_that_loads_and_a_readme(name: str) -> None:
    """Also with every line that stands there commented out."""
    plugin = find(SOURCES, name)
    (table,) = tomllib.loads(plugin.sample())["sources"]
    assert table.pop("plugin") == name
    found = FaultList()
    assert read_plugins(SOURCES, (PluginTable("sources[0]", name, table),), found)
    known = {field.name for field in fields(plugin.config)}
    said = [line[2:].split(" = ")[0] for line in plugin.sample().splitlines() if " = " in line and line.startswith("# ")]  # fmt: skip
    assert [key for key in said if key.isidentifier() and key not in known] == []
    assert files(plugin.package).joinpath("README.md").is_file()


def test_kafka_is_among_them() -> None:
    """An entry point that got lost would leave the tests above without a case."""
    assert "kafka" in names(SOURCES)


def test_faults_of_the_kafka_source_are_all_named() -> None:
    """With their keys."""
    found = FaultList()
    settings = {
        "format": "xml", "device": "{nobody}", "sasl": "PLAIN", "certfile": "/nowhere",
        "consumer_settings": {"enable.auto.commit": "true"},
    }  # fmt: skip
    read_plugins(SOURCES, (PluginTable("sources[0]", "kafka", settings),), found)
    keys = {fault.key.removeprefix("sources[0].") for fault in found.faults}
    assert keys == {"format", "device", "sasl", "certfile", "consumer_settings"}
