"""docs/how-to/sparkplug.md and kafka.md: their examples are configurations, their commands run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config import load_config
from gateway.sparkplug.names import NodeKey, device_id
from headrace.metrics import TABLE

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = {name: (FOLDER / f"{name}.md").read_text(encoding="utf-8") for name in ("sparkplug", "kafka")}  # fmt: skip
EXAMPLES = [
    (name, example)
    for name, text in PAGES.items()
    for example in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
]


@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_every_example_is_a_configuration(page: str, example: str, tmp_path: Path) -> None:
    """With nothing to complain about."""
    config = tmp_path / "gateway.toml"
    config.write_text(example, encoding="utf-8")
    load_config(config)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_run_as_they_stand(page: str, tmp_path: Path) -> None:
    """All but the one that stays: it is the gateway itself."""
    (tmp_path / "gateway.toml").write_text(dict(EXAMPLES)[page], encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    blocks = re.findall(r"```sh\n(.*?)```", PAGES[page], re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    for line in lines:
        if " run " in line:
            continue
        done = subprocess.run(
            ["bash", "-euc", line], cwd=tmp_path, env=os.environ | {"PATH": path},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        expected = 2 if "quarantine" in line else 0  # there is no journal yet, and it says so
        assert done.returncode == expected, done.stderr


def test_the_names_and_metrics_are_those_of_the_code() -> None:
    """Devices as the table says, and metrics that exist."""
    page = PAGES["sparkplug"]
    assert f"`{device_id(NodeKey('press', 'line-1'))}`" in page
    assert f"`{device_id(NodeKey('press', 'line-1'), 'tank 1')}`" in page
    known = {spec.full_name for spec in TABLE}
    named = re.findall(r"`(headrace_gateway_\w+)", page + PAGES["kafka"])
    assert named
    assert set(named) <= known
