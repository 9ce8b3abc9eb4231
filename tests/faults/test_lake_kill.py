"""SIGKILL at every step of landing and registering: 0 lost, 0 doubled, at every moment."""

from __future__ import annotations

from pathlib import Path

from cloud_sync.landing.parquet import DAY_US
from tests.faults.lake_launcher import MAX_ROWS
from tests.faults.stepping import copies, count, launch
from tests.journals import START_US, Journal, readings
from tests.lakes import Identity, assert_each_once, identities, journalled, pipeline, settings


def make_data(folder: Path) -> set[Identity]:
    """A journal of two landings with two days each; what it holds."""
    journal = Journal(folder / "gateway" / "journal.db")
    for at in range(6):
        start = START_US + (at % 2) * DAY_US
        journal.append(f"pump-{at % 2}", readings(100, start_us=start, seed=at))
    journal.close()
    return journalled(journal.path)


def seen(folder: Path) -> None:
    config = settings(folder)
    expected = journalled(config.journal.path)
    assert_each_once(identities(config.lake, config.journal.path), expected)


def test_killed_at_any_step_the_lake_has_each_reading_once(tmp_path: Path) -> None:
    """Each step in turn is the last one; after it, and after the restart, the view is exact."""
    expected = make_data(tmp_path / "template")
    assert len(expected) == 2 * MAX_ROWS
    copies(tmp_path / "template", tmp_path / "count", 1)
    steps = count("lake", tmp_path / "count")
    assert steps >= 26  # attach, 2 × (intent, 2 files, manifest, cursor), namespace, table, commit

    root = tmp_path / "killed"
    copies(tmp_path / "template", root, steps)
    assert launch("lake", root, list(range(1, steps + 1))) == ["killed"] * steps
    for index in range(steps):
        seen(root / str(index))
    for index in range(steps):
        folder = root / str(index)
        again = pipeline(settings(folder))
        again.land()
        again.register()
        found = identities(settings(folder).lake, None)  # the lake alone, without the journal
        assert_each_once(found, expected)


def test_killed_twice_the_lake_has_each_reading_once(tmp_path: Path) -> None:
    """The restart is killed too, at another step."""
    expected = make_data(tmp_path / "template")
    root = tmp_path / "killed"
    first = [3, 5, 8, 11, 14, 20, 24, 26]
    copies(tmp_path / "template", root, len(first))
    launch("lake", root, first)
    launch("lake", root, [4, 2, 6, 3, 7, 5, 2, 1])
    for index in range(len(first)):
        seen(root / str(index))
        again = pipeline(settings(root / str(index)))
        again.land()
        again.register()
        assert_each_once(identities(settings(root / str(index)).lake, None), expected)
