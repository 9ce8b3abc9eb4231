"""docs/how-to/compute.md: its commands run as they stand, over pumps; its tables are configurations."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_sync import config
from cloud_sync.compute import jobs
from tests.docs.pumps import make_pumps

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "compute.md").read_text(encoding="utf-8")
PLACES = (
    '[journal]\npath = "headrace-data/gateway/journal.db"\n[lake]\nuri = "headrace-data/lake"\n'
)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", blocks("toml"), ids=range(len(blocks("toml"))))
def test_every_example_is_a_configuration(example: str, tmp_path: Path) -> None:
    """With nothing to complain about."""
    path = tmp_path / "cloud_sync.toml"
    path.write_text(example, encoding="utf-8")
    jobs.read(config.load(path).compute, "page")


def test_the_commands_do_what_the_page_says(tmp_path: Path) -> None:
    """With the first example beside the data folder, as a reader has it."""
    make_pumps(tmp_path / "headrace-data")
    (tmp_path / "cloud_sync.toml").write_text(PLACES + blocks("toml")[0], encoding="utf-8")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-euc", "".join(blocks("sh"))], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "readings_1m: 1 days" in said
    assert "0 days wait" in said
    assert "features_pumps: 1 days" in said
    assert "flow_lag_5" in said
