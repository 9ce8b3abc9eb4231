"""Typed configuration: every fault at once, with its key."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from headrace.config import FaultList, PluginTable, load, load_text
from headrace.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    mode: Literal["fast", "safe"] = "safe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    name: str
    link: Link = field(default_factory=lambda: Link(host="localhost"))
    files: tuple[Path, ...] = ()
    limit_s: float | None = None
    links: tuple[Link, ...] = ()
    inputs: tuple[PluginTable, ...] = ()


def faults(text):
    with pytest.raises(ConfigError) as caught:
        load_text(text, Program, source="x.toml")
    return [str(fault) for fault in caught.value.faults]


def test_values_take_the_types_of_the_fields():
    """Integers become floats, strings become paths, tables become dataclasses."""
    config = load_text(
        'name = "a"\nlimit_s = 3\nfiles = ["b", "c"]\n[link]\nhost = "h"\n[[inputs]]\nplugin = "host"\nx = 1',
        Program,
        source="x.toml",
    )
    assert config.limit_s == 3.0
    assert config.files == (Path("b"), Path("c"))
    assert config.link == Link(host="h")
    assert config.inputs == (PluginTable("inputs[0]", "host", {"x": 1}),)


def test_every_fault_is_reported_at_once_with_its_key():
    """Nobody fixes a file one error at a time."""
    assert faults('nmae = "a"\n[link]\nport = 70000\nmode = "quick"\n[[links]]\nhost = 3') == [
        "nmae: unknown key; did you mean 'name'?",
        "name: missing; this key has no default",
        "link.host: missing; this key has no default",
        "link.port: expected `int` <= 65535, got int 70000",
        "link.mode: invalid enum value 'quick', got str 'quick'",
        "links[0].host: expected `str`, got int 3",
    ]


def test_text_that_is_not_toml_is_a_fault_with_its_place():
    """The parser's line and column reach the reader."""
    (fault,) = faults("a = 1\nname = = 2")
    assert "not valid TOML" in fault
    assert "line 2" in fault


def test_a_plugin_table_without_a_plugin_is_a_fault():
    """The message says what to write."""
    assert faults('name = "a"\n[[inputs]]\ninterval_s = 1') == [
        'inputs[0].plugin: missing; name the plugin, for example plugin = "host"'
    ]


def test_a_file_that_is_missing_says_how_to_get_one(tmp_path):
    """The hint names the command."""
    with pytest.raises(ConfigError, match="sample-config"):
        load(tmp_path / "none.toml", Program)


def test_checks_across_fields_run_only_on_sound_fields():
    """A check may rely on types."""
    seen = []

    def check(config: Program, found: FaultList) -> None:
        seen.append(config)
        found.add("name", "taken")

    with pytest.raises(ConfigError, match="name: taken"):
        load_text('name = "a"', Program, source="x", check=check)
    with pytest.raises(ConfigError):
        load_text("name = 1", Program, source="x", check=check)
    assert len(seen) == 1
