"""A group of work to batches, within limits and memory."""

from __future__ import annotations

import pytest

from gateway.acks import AckAfterJournal
from gateway.feed import Feed
from gateway.ingest import group as group_
from gateway.ingest.arrival import Arrival
from gateway.ingest.group import GroupReader
from gateway.ingest.inbox import Work
from gateway.ingest.limits import Limits, LimitsConfig
from gateway.pipeline import Pipeline
from headrace.clock import ManualClock
from headrace.journal import JournalReader
from headrace.metrics import Metrics
from headrace.topics import Topics
from tests.batches import payload
from tests.outbox import Outbox

STREAM = "0123456789abcdef"
PACK = b'[{"n":"level","v":1.5}]'


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def metrics():
    return Metrics("gateway")


def reader_of(metrics: Metrics, clock: ManualClock, **bounds: float) -> tuple[GroupReader, Limits]:
    limits = Limits(LimitsConfig(**bounds))
    return GroupReader(limits, metrics, clock.monotonic), limits


def numbered(device: str = "pump", first: int = 1, count: int = 10, name: str = "flow") -> Arrival:
    return Arrival(device, "arrow", payload(STREAM, first, count, name=name), 1_750_000_000_000_000)


def unnumbered(device: str = "mcu", pack: bytes = PACK) -> Arrival:
    return Arrival(device, "senml-json", pack, 1_750_000_000_000_000)


def test_over_the_limit_what_is_sent_again_is_dropped_and_the_rest_is_kept(metrics, clock):
    """Who waits for our ack comes again; who does not would have lost it."""
    reader, _ = reader_of(metrics, clock)
    again, once = numbered(), unnumbered()
    elsewhere = Arrival("pump", "arrow", payload(STREAM, 1, 9), 1, "kafka", answered=False)
    found = reader.read(Work([], [], [again, once, elsewhere]))
    assert [arrival for arrival, _ in found.dropped] == [again]
    assert [(each.arrival, each.error.reason) for each in found.refused] == [
        (once, "over_limit"),
        (elsewhere, "over_limit"),
    ]
    reader.charge(found)
    assert metrics.value("limited_batches", device="pump", what="dropped") == 1
    assert metrics.value("dropped_batches", reason="over_limit") == 1


def test_a_device_pays_for_what_was_committed(metrics, clock):
    """Not for what was only read: a group that fails is read again."""
    reader, limits = reader_of(metrics, clock, readings_per_s=1.0, burst_s=5.0)
    found = reader.read(Work([numbered(count=10)], []))
    assert limits.held == {}
    reader.charge(found)
    assert limits.held == {"pump": clock.monotonic() + 5.0}
    assert metrics.value("limited_batches", device="pump", what="held") == 1


def test_a_batch_with_too_many_series_is_refused_whole(metrics, clock):
    """Also one that was put together of small payloads: each of them is in quarantine."""
    reader, _ = reader_of(metrics, clock, max_series=2)
    packs = [b'[{"n":"%c","v":1}]' % name for name in b"abcabc"]
    found = reader.read(Work([unnumbered(pack=pack) for pack in packs], []))
    assert (found.accepted, len(found.refused)) == ([], 6)
    found = reader.read(Work([numbered(name="a"), numbered(name="b")], []))
    assert (len(found.accepted), found.refused) == (2, [])


def test_gathered_devices_are_not_charged_with_each_others_series(metrics, clock):
    """Batches that are cut from one set of columns share a dictionary."""
    reader, _ = reader_of(metrics, clock, max_series=1)
    work = Work([unnumbered(f"mcu-{n}", b'[{"n":"s%d","v":1}]' % n) for n in range(20)], [])
    assert reader.read(work).refused == []


def test_devices_beyond_the_labels_are_counted_together(metrics, clock, monkeypatch):
    """A thousand bad devices are no thousand metrics."""
    monkeypatch.setattr(group_, "MAX_DEVICE_LABELS", 2)
    reader, _ = reader_of(metrics, clock)
    for number in range(5):
        reader.charge(reader.read(Work([], [], [numbered(f"d{number}")])))
    assert metrics.value("limited_batches", device="d1", what="dropped") == 1
    assert metrics.value("limited_batches", device="others", what="dropped") == 3


def test_a_group_that_decodes_to_too_much_is_committed_in_parts(
    open_journal, metrics, clock, monkeypatch
):
    """Each payload once, whatever memory allows at a time."""
    monkeypatch.setattr(group_, "GROUP_MAX_DECODED_BYTES", 1_000)
    journal = open_journal()
    told: list[object] = []
    reader, _ = reader_of(metrics, clock)
    pipeline = Pipeline(
        reader=reader, journal=journal, acks=AckAfterJournal(), feed=Feed(journal.path), broker=Outbox(),
        topics=Topics(), metrics=metrics,
    )  # fmt: skip
    arrivals = [
        Arrival("pump", "arrow", payload(STREAM, n * 30 + 1, 30), clock.now_us(), done=told.append)
        for n in range(9)
    ]
    work = Work(list(arrivals), [])
    assert len(reader.read(work).left) > 4
    pipeline.process(work)
    assert told == [None] * 9
    with JournalReader(journal.path) as found:
        assert [row.first_seq for row in found.read(0, max_rows=999, max_bytes=10**6)] == [
            n * 30 + 1 for n in range(9)
        ]
    assert metrics.value("journalled_readings") == 270
