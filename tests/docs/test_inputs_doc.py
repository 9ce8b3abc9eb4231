"""docs/inputs.md: its commands run as they stand, its examples are configurations, its tables complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.config import load
from headrace.plugins import INPUTS, names

PAGE = Path(__file__).parents[2] / "docs" / "inputs.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_commands_run_as_they_stand(tmp_path: Path) -> None:
    """On a machine without any sensor too."""
    (commands,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=tmp_path, env=os.environ | {"PATH": path},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no faults" in done.stdout
    assert "[[inputs.registers]]" in done.stdout


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL))
def test_every_example_is_a_configuration(example: str, tmp_path: Path) -> None:
    """Nothing to complain about, once it names a device."""
    config = tmp_path / "agent.toml"
    head = "" if example.startswith("device") else 'device = "a"\n'
    config.write_text(head + example, encoding="utf-8")
    assert not load(config).warnings


def test_every_input_and_every_reason_is_listed() -> None:
    """A plugin or a counter that is not in the page is not found by anyone."""
    rows = re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)
    assert set(names(INPUTS)) <= set(rows)
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in (PAGE.parents[1] / "edge_agent/inputs").rglob("*.py")
    )
    reasons = set(re.findall(r'reason="(\w+)"|NoReadingError\(\s*"(\w+)"', code))
    assert {one or other for one, other in reasons} <= set(rows)
