"""SIGKILL at every step of the first pass after a lost disk: what comes again is in the table once."""

from __future__ import annotations

from pathlib import Path

from headrace.journal import LAKE, REGISTERED, JournalReader
from tests.faults.lake_launcher import MAX_ROWS
from tests.faults.stepping import chosen, copies, count, launch
from tests.lakes import Identity, pipeline, settings
from tests.sites import BATCH, Site, names

#: Of one landing.
BATCHES = MAX_ROWS // BATCH


def make_data(folder: Path) -> list[Identity]:
    """One landing of a journal that is lost; its second half has landed again, and as much behind it."""
    site = Site(folder)
    sent = site.send("pump-1", 0, BATCHES)
    pipeline(settings(folder)).land()
    site.lose_disk()
    sent |= site.send("pump-1", BATCHES // 2, BATCHES)
    pipeline(settings(folder)).land()
    site.journal.close()
    return sorted(sent)


def test_killed_at_any_step_after_a_lost_disk_each_reading_is_registered_once(
    tmp_path: Path,
) -> None:
    """Files are written again and may be left behind; the commit decides, and no cursor is before it.

    Every second step; with ``HEADRACE_LONG_TESTS`` each.
    """
    sent = make_data(tmp_path / "template")
    copies(tmp_path / "template", tmp_path / "count", 1)
    steps = count("lake", tmp_path / "count")

    root = tmp_path / "killed"
    fatal = chosen(steps, parts=steps // 2)
    copies(tmp_path / "template", root, len(fatal))
    assert launch("lake", root, fatal) == ["killed"] * len(fatal)
    for index in range(len(fatal)):
        config = settings(root / str(index))
        with JournalReader(config.journal.path) as reader:
            told = reader.cursor(REGISTERED)
            assert told in (0, reader.cursor(LAKE))
        assert not told or names(config.lake) == sent, "told before it was registered"
        again = pipeline(config)
        again.land()
        again.register()
        assert names(config.lake) == sent
        with JournalReader(config.journal.path) as reader:
            assert reader.cursor(REGISTERED) == reader.head() == BATCHES
