from __future__ import annotations

import re
import tomllib
from pathlib import Path

from gateway.notify import NotifyConfig
from gateway.rules import RuleConfig, check_rules
from headrace.config import FaultList, read_table
from headrace.derived import decode_alert

PAGE = Path(__file__).parents[4] / "docs" / "rules.md"


def test_the_configuration_in_the_documentation_is_sound() -> None:
    """Whoever copies it gets what it says."""
    found = FaultList()
    rules, notify = (
        tomllib.loads(block)
        for block in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    )
    read = [read_table(RuleConfig, table, "rules", found) for table in rules["rules"]]
    read_table(NotifyConfig, notify["notify"][0], "notify", found)
    check_rules([rule for rule in read if rule is not None], {"pump": 17.0}, found)
    assert found.faults == []
    assert len(read) == 3


def test_the_alert_in_the_documentation_is_one() -> None:
    """The JSON that consumers of the lake will parse."""
    (text,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert decode_alert(text).severity == "critical"
