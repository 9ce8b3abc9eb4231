"""docs/how-to/import.md and docs/raw-zone.md: their commands run as they stand, their tables are configurations."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_sync import config
from cloud_sync.imports import jobs
from headrace.plugins import IMPORTS, names
from tests.journals import START_US, Journal, readings
from tests.lakes import pipeline

DOCS = Path(__file__).parents[2] / "docs"
IMPORT = (DOCS / "how-to" / "import.md").read_text(encoding="utf-8")
RAW = (DOCS / "raw-zone.md").read_text(encoding="utf-8")
PLACES = (
    '[journal]\npath = "gateway/journal.db"\n[lake]\nuri = "lake"\n[spool]\nfolder = "imports"\n'
)


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)


def run_all(page: str, folder: Path) -> list[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told = []
    for line in "".join(blocks(page, "sh")).splitlines():
        done = subprocess.run(
            ["bash", "-euc", line], cwd=folder, env=os.environ | {"PATH": path},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        told.append(done.stdout)
    return told


def test_the_way_from_a_file_to_a_query_is_as_described(tmp_path: Path) -> None:
    """With the file that the page has in mind."""
    rows = [f"2024-05-01 10:00:{at:02d};pump-{at % 2};{at / 10};{20 + at}" for at in range(30)]
    (tmp_path / "pumps.csv").write_text(
        "\n".join(["time;device;pressure;temperature", *rows]) + "\n"
    )
    (tmp_path / "cloud_sync.toml").write_text(PLACES)
    told = run_all(IMPORT, tmp_path)
    assert 'delimiter = ";"' in told[0]
    assert "imported 60 readings" in told[3]
    assert "import-pumps" in told[-1]


@pytest.mark.parametrize("example", blocks(IMPORT, "toml") + blocks(RAW, "toml"))
def test_every_example_is_a_configuration(example: str, tmp_path: Path) -> None:
    """With nothing to complain about."""
    path = tmp_path / "cloud_sync.toml"
    path.write_text(example, encoding="utf-8")
    jobs.read(config.load(path).imports, "page")


def test_every_plugin_is_in_the_table() -> None:
    """And nothing that there is not."""
    assert set(re.findall(r"^\| `(\w+)` \|", IMPORT, re.MULTILINE)) == set(names(IMPORTS))


def test_a_replay_runs_as_described(tmp_path: Path) -> None:
    """On a site that keeps payloads."""
    journal = Journal(tmp_path / "gateway" / "journal.db")
    journal.append("pump-1", readings(100, start_us=START_US))
    (tmp_path / "cloud_sync.toml").write_text(
        PLACES + blocks(RAW, "toml")[0].replace("30", "30000")
    )
    here = Path.cwd()
    try:
        os.chdir(tmp_path)
        settings = config.load(tmp_path / "cloud_sync.toml")
        path = pipeline(settings)
        path.land()
        path.register()
        from cloud_sync.raw.keeper import Keeper
        from headrace.lake.opening import open_store
        from headrace.metrics import Metrics

        Keeper(settings, open_store(settings.lake), Metrics("cloud_sync")).keep()
    finally:
        os.chdir(here)
        journal.close()
    told = run_all(RAW, tmp_path)
    assert "equal to the lake" in told[0]
    assert '"readings":100' in told[2]
