"""Tags of series: from names and from rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_sync import config
from cloud_sync.catalog.tags import tags_of
from cloud_sync.config import TagRule
from headrace.errors import ConfigError


def test_a_later_rule_has_the_last_word_and_rules_have_it_over_the_name() -> None:
    """By shell patterns of site, device and name."""
    rules = [
        TagRule(device="pump-*", tags={"line": "3", "host": "b"}),
        TagRule(device="pump-3", name="cpu*", tags={"line": "4"}),
        TagRule(site="elsewhere", tags={"line": "5"}),
    ]
    assert tags_of(rules, "here", "pump-3", "cpu.load;core=1;host=a") == {
        "core": "1", "host": "b", "line": "4",
    }  # fmt: skip
    assert tags_of(rules, "here", "fan", "speed;strange;=x;y=") == {}


def test_a_rule_that_says_nothing_is_a_fault(tmp_path: Path) -> None:
    """With its place in the file."""
    path = tmp_path / "cloud_sync.toml"
    path.write_text('[[catalog.tags]]\ntags = { a = "b" }\n[[catalog.tags]]\ndevice = "pump"\n')
    with pytest.raises(ConfigError, match=r"catalog\.tags\[1\]\.tags: missing"):
        config.load(path)
