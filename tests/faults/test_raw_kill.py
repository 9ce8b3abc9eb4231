"""SIGKILL at every step of keeping and replaying: every payload once, and the replay equals the journal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from cloud_sync.landing.parquet import DAY_US
from cloud_sync.raw import files
from cloud_sync.raw.table import ReplayTable
from headrace.lake.readings import READINGS_SCHEMA
from headrace.lake.store import LocalStore
from headrace.query.engine import Engine
from headrace.query.sources import File, Sources
from tests.faults.raw_launcher import ASKED, run
from tests.journals import START_US, Journal, readings
from tests.lakes import Identity, assert_each_once, journalled, settings

LAUNCHER = Path(__file__).with_name("raw_launcher.py")
REPOSITORY = LAUNCHER.parents[2]
NO_KILL = 10**9


def make_data(folder: Path) -> set[Identity]:
    """Five batches of two days, and two refused payloads."""
    journal = Journal(folder / "gateway" / "journal.db")
    for at in range(5):
        journal.append("pump-1", readings(20, start_us=START_US + at // 3 * DAY_US, seed=at))
    for at in range(2):
        journal.db.execute(
            "INSERT INTO quarantine (received_at, topic, device, format, reason, detail, payload) "
            "VALUES (?, 't', 'pump-1', 'arrow', 'broken_frame', '', ?)",
            (START_US + at * DAY_US, bytes([at])),
        )
    journal.close()
    return journalled(journal.path)


def launch(root: Path, steps: list[int]) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(LAUNCHER), str(root), *map(str, steps)],
        capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=170,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    return done.stdout.split("\n")[:-1]


def replayed(folder: Path) -> Counter[Identity]:
    lake = settings(folder).lake
    uris = tuple(File(uri, "registered") for uri in ReplayTable(lake, "again", ASKED).files())
    with Engine(Sources(uris, READINGS_SCHEMA.empty_table()), lake) as engine:
        found = engine.query("SELECT device, stream, seq FROM readings").read_all().to_pydict()
    return Counter(zip(found["device"], found["stream"], found["seq"], strict=True))


def test_killed_at_any_step_payloads_are_kept_once_and_replayed_once(tmp_path: Path) -> None:
    """Every eighth part of the way, with ``HEADRACE_LONG_TESTS`` each step, is the last one, then one more; the run
    after it ends it."""
    expected = make_data(tmp_path / "template")
    shutil.copytree(tmp_path / "template", tmp_path / "count" / "0")
    assert launch(tmp_path / "count", [NO_KILL]) == ["exit 0"]
    steps = int((tmp_path / "count" / "0" / "steps").read_text())
    assert steps >= 40
    chosen = list(range(1, steps + 1, 1 if "HEADRACE_LONG_TESTS" in os.environ else steps // 8))
    root = tmp_path / "killed"
    for index in range(len(chosen)):
        shutil.copytree(tmp_path / "template", root / str(index))
    assert launch(root, chosen) == ["killed"] * len(chosen)
    launch(root, [3 + 4 * (index % 7) for index in range(len(chosen))])
    for index in range(len(chosen)):
        folder = root / str(index)
        run(folder, NO_KILL)
        store = LocalStore(settings(folder).lake.folder)
        kept = [(each.kind, each.number) for name in files.listed(store) for part in files.decode(store, name) for each in part]  # fmt: skip
        assert sorted(kept) == [("batch", at) for at in range(1, 6)] + [("quarantined", 1), ("quarantined", 2)]  # fmt: skip
        assert_each_once(replayed(folder), expected)
