"""SIGKILL at every step of the first pass after a lost disk: what comes again is in the table once."""

from __future__ import annotations

import os
from pathlib import Path

from headrace.journal import LAKE, REGISTERED, JournalReader
from tests.faults.lake_launcher import MAX_ROWS
from tests.faults.test_lake_kill import NO_KILL, copies, launch
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
    assert launch(tmp_path / "count", [NO_KILL]) == ["exit 0"]
    steps = int((tmp_path / "count" / "0" / "steps").read_text())

    root = tmp_path / "killed"
    chosen = list(range(1, steps + 1, 1 if "HEADRACE_LONG_TESTS" in os.environ else 2))
    copies(tmp_path / "template", root, len(chosen))
    assert launch(root, chosen) == ["killed"] * len(chosen)
    for index in range(len(chosen)):
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
