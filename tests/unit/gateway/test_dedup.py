"""What has been seen, and what of a batch is new."""

import pytest

from gateway.ingest import dedup as dedup_
from gateway.ingest.dedup import Seen, Stage
from headrace.errors import PayloadError


def test_a_first_batch_is_new_as_a_whole():
    """Nothing has been seen, so all of it is new."""
    assert Stage(Seen()).add("pump-1", "s", 1, 10) == [(1, 10)]


def test_only_the_unseen_part_of_an_overlapping_batch_is_new():
    """A resend with other borders adds what was missing, in as many parts as there are holes."""
    seen = Seen([("pump-1", "s", 3, 4), ("pump-1", "s", 7, 7)])
    assert Stage(seen).add("pump-1", "s", 1, 10) == [(1, 2), (5, 6), (8, 10)]


def test_a_stage_that_is_not_applied_leaves_no_trace():
    """A failed transaction must not make its batches look like duplicates."""
    seen = Seen()
    Stage(seen).add("pump-1", "s", 1, 10)
    assert Stage(seen).add("pump-1", "s", 1, 10) == [(1, 10)]


def test_two_batches_of_one_transaction_see_each_other():
    """A duplicate within one group is recognised too."""
    stage = Stage(Seen())
    stage.add("pump-1", "s", 1, 10)
    assert stage.add("pump-1", "s", 5, 12) == [(11, 12)]


def test_row_changes_replace_ranges_that_have_grown():
    """The stored ranges end up as the ones in memory."""
    seen = Seen([("pump-1", "s", 1, 5), ("pump-1", "s", 8, 9)])
    stage = Stage(seen)
    stage.add("pump-1", "s", 6, 7)
    assert list(stage.row_changes()) == [(("pump-1", "s"), [(1, 5), (8, 9)], [(1, 9)])]


def test_a_stream_with_too_many_holes_is_refused_and_unmarked():
    """The gateway's memory of a stream is bounded; nothing is lost, the batch goes to quarantine."""
    seen = Seen([("pump-1", "s", 2 * n, 2 * n) for n in range(1, 10_001)])
    stage = Stage(seen)
    with pytest.raises(PayloadError, match="holes"):
        stage.add("pump-1", "s", 30_001, 30_001)
    assert stage.changed() == {}


def test_holes_are_named_by_stream():
    """What a device lacks, before the newest that arrived."""
    seen = Seen([("pump-7", "s", 1, 4011), ("pump-7", "s", 4091, 5000), ("pump-8", "t", 1, 9)])
    assert seen.holes("pump-7") == {"s": [(4012, 4090)]}
    assert seen.holes("pump-8") == {}
    assert seen.missing() == {"pump-7": 79}


def test_a_device_that_begins_streams_without_end_is_refused(monkeypatch):
    """Each takes memory and a row for good; those that are known go on."""
    monkeypatch.setattr(dedup_, "MAX_STREAMS_PER_DEVICE", 3)
    monkeypatch.setattr(dedup_, "SITE_MAX_STREAMS", 5)
    seen = Seen([("pump-1", "a", 1, 5)])
    stage = Stage(seen)
    for stream in ("b", "a", "c", "b"):
        stage.check_stream("pump-1", stream)
        stage.add("pump-1", stream, 6, 9)
    with pytest.raises(PayloadError, match="pump-1 has had 3 streams"):
        stage.check_stream("pump-1", "d")
    seen.apply(stage)
    stage = Stage(seen)
    stage.check_stream("pump-1", "c")
    with pytest.raises(PayloadError, match="pump-1"):
        stage.check_stream("pump-1", "d")
    for stream in ("x", "y"):
        stage.check_stream("pump-2", stream)
        stage.add("pump-2", stream, 1, 1)
    with pytest.raises(PayloadError, match="all devices"):
        stage.check_stream("pump-3", "z")
