"""docs/operations.md is what the commands say and what the code has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from gateway.rules import BuiltinRulesConfig, builtin
from headrace.metrics import TABLE
from headrace.metrics_guide import WHEN_IT_MOVES
from tests.servers import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_doctors_answer_is_the_one_of_the_page(tmp_path: Path) -> None:
    """The same configuration again: the same checks in the same order, and the same verdict."""
    shown = PAGE.split("<!-- doctor -->\n```text\n")[1].split("```")[0]
    config = tmp_path / "gateway.toml"
    config.write_text(
        f"""data_dir = "{tmp_path}/data"
[broker]
port = {free_port()}
[http]
port = {free_port()}
console = false
[[sinks]]
plugin = "influxdb"
url = "http://127.0.0.1:{free_port()}"
bucket = "iot"
""",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "gateway", "doctor", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert checks(done.stdout) == checks(shown)
    assert "-> is it running?" in done.stdout


def checks(text: str) -> list[str]:
    """The second column; levels of clock and disk are the machine's."""
    return re.findall(r"^(?:OK|WARN|FAIL) +(\w+)", text, re.M)


def test_every_built_in_rule_is_explained() -> None:
    """With its key, where it has one."""
    section = PAGE.split("## Alerts about the pipeline itself")[1].split("\n## ")[0]
    config = BuiltinRulesConfig()
    rules = builtin(config, (), device="gateway-site-1", journal_bytes=1, interval_s=30)
    assert re.findall(r"^\| `(builtin-\w+)`", section, re.M) == [rule.name for rule in rules]
    keys = set(re.findall(r"\| `(\w+)` [\d.]", section))
    assert keys == set(BuiltinRulesConfig.__dataclass_fields__) - {"enabled", "off"}


def test_what_to_do_is_said_of_metrics_that_are_there() -> None:
    """A metric that was renamed takes its advice along."""
    assert set(WHEN_IT_MOVES) <= {spec.name for spec in TABLE if spec.program == "gateway"}
