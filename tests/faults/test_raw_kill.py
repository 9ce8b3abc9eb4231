"""SIGKILL at every step of keeping and replaying: every payload once, and the replay equals the journal."""

from __future__ import annotations

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
from tests.faults.stepping import NO_KILL, Steps, chosen, copies, count, launch
from tests.journals import START_US, Journal, readings
from tests.lakes import Identity, assert_each_once, journalled, settings


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
    copies(tmp_path / "template", tmp_path / "count", 1)
    steps = count("raw", tmp_path / "count")
    assert steps >= 40
    fatal = chosen(steps, parts=8)
    root = tmp_path / "killed"
    copies(tmp_path / "template", root, len(fatal))
    assert launch("raw", root, fatal) == ["killed"] * len(fatal)
    launch("raw", root, [3 + 4 * (index % 7) for index in range(len(fatal))])
    for index in range(len(fatal)):
        folder = root / str(index)
        run(folder, Steps(NO_KILL))
        store = LocalStore(settings(folder).lake.folder)
        kept = [(each.kind, each.number) for name in files.listed(store) for part in files.decode(store, name) for each in part]  # fmt: skip
        assert sorted(kept) == [("batch", at) for at in range(1, 6)] + [("quarantined", 1), ("quarantined", 2)]  # fmt: skip
        assert_each_once(replayed(folder), expected)
