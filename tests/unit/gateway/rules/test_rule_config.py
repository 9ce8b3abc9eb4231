from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.rules import RuleConfig, check_rules, resolve
from headrace.config import load_text
from headrace.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    rules: tuple[RuleConfig, ...]


def faults(text: str) -> set[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, File, source="t", check=lambda file, found: check_rules(file.rules, {"pump": 17.0}, found))  # fmt: skip
    return {str(fault) for fault in caught.value.faults}


def test_what_a_kind_needs_is_asked_for_with_its_key() -> None:
    """Each kind has its own musts."""
    found = faults(
        '[[rules]]\nname = "a"\nkind = "threshold"\n'
        '[[rules]]\nname = "b"\nkind = "score"\nmodel = "pomp"\n'
        '[[rules]]\nname = "c"\nkind = "silence"\n'
        '[[rules]]\nname = "c"\nkind = "silence"\nfor_s = 1\n'
    )
    assert any(fault.startswith("rules[0].series: missing") for fault in found)
    assert any(fault.startswith("rules[0].value: missing") for fault in found)
    assert "rules[1].model: no model 'pomp' in [[models]]; known: pump" in found
    assert any(fault.startswith("rules[2].for_s: missing") for fault in found)
    assert any(fault.startswith("rules[3].name: 'c' is there twice") for fault in found)


@pytest.mark.parametrize("summary", ["{device.__class__}", "{nobody}", "{", "{value:q}"])
def test_a_summary_that_cannot_be_filled_in_is_a_fault(summary: str) -> None:
    """Found before the start, not at the first alert."""
    text = f'[[rules]]\nname = "a"\nkind = "silence"\nfor_s = 1\nsummary = "{summary}"\n'
    assert any(fault.startswith("rules[0].summary") for fault in faults(text))


def test_a_score_rule_without_a_value_takes_the_threshold_of_its_model() -> None:
    """Which a retrained model may change."""
    rules = (
        RuleConfig(name="a", kind="score", model="pump"),
        RuleConfig(name="b", kind="score", model="pump", value=5),
    )
    assert [rule.value for rule in resolve(rules, {"pump": 17.0})] == [17.0, 5]
