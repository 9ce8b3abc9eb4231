"""SIGKILL at steps of maintenance: 0 lost, 0 doubled, and nothing left behind in the end.

Each fourth step, so that it is over in some seconds; HEADRACE_LONG_TESTS=1 takes all of them.
"""

from __future__ import annotations

from pathlib import Path

from cloud_sync.landing.parquet import DAY_US
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.config import Lake
from tests.faults.maintain_launcher import NOW_US, maintain
from tests.faults.stepping import count, is_long, launch
from tests.journals import Journal, readings
from tests.lakes import Identity, assert_each_once, identities, journalled, pipeline, settings

A_DAY_LATER_US = NOW_US + DAY_US


def make_data(folder: Path) -> set[Identity]:
    """A day in two landings, registered."""
    journal = Journal(folder / "gateway" / "journal.db")
    for at in range(4):
        start = NOW_US - 2 * DAY_US + at * 1_000_000
        journal.append(f"pump-{at}", readings(100, start_us=start, seed=at), received_at=NOW_US)
    journal.close()
    path = pipeline(settings(folder, max_rows=200))
    path.land()
    path.register()
    return journalled(settings(folder).journal.path)


def data_files(folder: Path) -> set[Path]:
    return {path for path in (folder / "lake").rglob("*.parquet") if not path.name.startswith(".")}


def named(lake: Lake) -> set[Path]:
    table = load_readings(open_catalogue(lake))
    assert table is not None
    return {Path(task.file.file_path.removeprefix("file://")) for task in table.scan().plan_files()}


def test_killed_at_any_step_maintenance_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Each step in turn is the last one; the lake is exact then, and tidy after the rounds of another day."""
    make_data(tmp_path / "count" / "0")
    steps = count("maintain", tmp_path / "count")
    assert steps >= 16  # record, file, row group, commit, expiry, deletions: before and after each
    fatal = range(1, steps + 1) if is_long() else range(2, steps + 1, 4)
    root = tmp_path / "killed"
    expected = [make_data(root / str(index)) for index in range(len(fatal))]
    assert launch("maintain", root, fatal) == ["killed"] * len(fatal)
    for index, step in enumerate(fatal):
        folder = root / str(index)
        lake = settings(folder).lake
        assert_each_once(identities(lake, None), expected[index])
        maintain(folder, A_DAY_LATER_US)
        assert_each_once(identities(lake, None), expected[index])
        assert data_files(folder) == named(lake), f"left behind after step {step}"
        assert not list((folder / "lake" / "maintenance" / "readings").iterdir())
