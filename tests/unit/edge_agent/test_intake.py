"""When readings are sealed, and what happens when the buffer does not take them."""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.buffer.log import log_path
from edge_agent.buffer.store import Store
from edge_agent.intake import Intake
from edge_agent.readings import Poll, Run, single
from headrace import codecs
from headrace.clock import ManualClock
from headrace.limits.sizes import MIB
from headrace.metrics import Metrics

NOW = 1_750_000_000_000_000
GO = threading.Event()  # never set: nobody stops


class Bench:
    """An intake on a real buffer and a clock that stands still."""

    def __init__(self, store: Store, clock: ManualClock, loss_window_s: float) -> None:
        self.store, self.clock, self.metrics = store, clock, Metrics("agent")
        self.wakes = 0
        self.intake = Intake(
            store, loss_window_s=loss_window_s, boot="boot", clock=clock, metrics=self.metrics,
            sealed=self.count_wake,
        )  # fmt: skip
        self.intake.add_source("live", lossless=False)
        self.intake.add_source("file", lossless=True)

    def count_wake(self) -> None:
        self.wakes += 1

    def poll(self, value: float, key: str = "live", checkpoint: str | None = None) -> None:
        run = single("a", self.clock.now_us(), value)
        assert self.intake.accept(key, Poll([run], checkpoint), stopping=GO)
        self.intake.flush_if_due()

    def big_poll(self, rows: int, key: str = "live", checkpoint: str | None = None) -> None:
        # Values that do not compress, so that the budget means something.
        values = array("d", (hash((row, "x")) * 1.1e-3 for row in range(rows)))
        run = Run("a", array("q", range(NOW, NOW + rows)), values)
        assert self.intake.accept(key, Poll([run], checkpoint), stopping=GO)

    def stored(self) -> list[tuple[int, int]]:
        return [(batch.first_seq, batch.last_seq) for batch in self.store.read(0)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    clock = ManualClock()
    opened = Store(tmp_path / "buffer.db", device="d", max_bytes=MIB, clock=clock)
    with closing(opened):
        yield opened


def bench(store: Store, loss_window_s: float = 1.0) -> Bench:
    return Bench(store, ManualClock(NOW), loss_window_s)


def test_the_first_reading_after_a_quiet_time_is_sealed_at_once(store: Store) -> None:
    """A device that samples once a second is prompt."""
    made = bench(store)
    made.poll(1.0)
    assert made.stored() == [(1, 1)]
    assert made.wakes == 1


def test_a_busy_device_commits_once_a_window(store: Store) -> None:
    """Ten polls within the second after a commit become one batch."""
    made = bench(store)
    made.poll(0.0)
    for step in range(10):
        made.clock.advance(0.09)
        made.poll(step)
    assert made.stored() == [(1, 1)]
    made.clock.advance(0.2)
    made.intake.flush_if_due()
    assert made.stored() == [(1, 1), (2, 11)]


def test_with_a_window_of_zero_every_poll_is_on_disk_when_accept_returns(store: Store) -> None:
    """Nothing that an input handed over can be lost."""
    made = bench(store, loss_window_s=0)
    for value in range(3):
        assert made.intake.accept("live", Poll([single("a", NOW, value)]), stopping=GO)
    assert made.stored() == [(1, 1), (2, 2), (3, 3)]


def test_a_full_batch_is_sealed_without_waiting(store: Store) -> None:
    """The batch size adapts: busy means large."""
    made = bench(store)
    made.poll(0.0)
    made.big_poll(12_000)
    assert made.stored() == [(1, 1), (2, 10_001), (10_002, 12_001)]


def test_a_large_poll_and_its_checkpoint_are_one_transaction(store: Store) -> None:
    """Both batches and the place behind them, or none."""
    made = bench(store)
    made.poll(0.0)
    made.big_poll(9_999, "file", "place-1")
    assert store.checkpoint("file") is None
    made.big_poll(9_999, "file", "place-2")
    assert store.checkpoint("file") == "place-2"
    assert made.stored()[-1][1] == 1 + 2 * 9_999


def fill(made: Bench) -> None:
    while made.metrics.value("dropped_readings", reason="buffer_full") == 0:
        made.big_poll(10_000)


def test_when_the_buffer_is_full_live_readings_are_refused_and_counted(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest stay, the gap has numbers, it is said once, and once when it works again."""
    caplog.set_level("INFO")
    made = bench(store)
    fill(made)
    kept = made.stored()
    made.big_poll(10_000)
    assert made.stored() == kept
    assert store.next_seq == kept[-1][1] + 1 + 20_000
    assert store.counts().dropped == {"buffer_full": 20_000}
    assert store.counts().buffered == kept[-1][1]
    store.forget(kept)
    made.big_poll(10_000)
    assert made.stored() == [(kept[-1][1] + 20_001, kept[-1][1] + 30_000)]
    said = [record.message for record in caplog.records if "new readings" in record.message]
    assert len(said) == 2
    assert "works again" in said[1]


def test_an_input_that_can_wait_is_held_up_instead(store: Store) -> None:
    """It goes on when the gateway has acknowledged something, and loses nothing."""
    made = bench(store)
    fill(made)
    before = store.next_seq
    accepted = threading.Event()

    def offer() -> None:
        made.big_poll(10_000, "file", "place-1")
        accepted.set()

    thread = threading.Thread(target=offer)
    thread.start()
    assert not accepted.wait(0.2)
    assert store.next_seq == before
    store.forget(made.stored())
    thread.join(10)
    assert accepted.is_set()
    assert made.stored() == [(before, before + 9_999)]
    assert store.checkpoint("file") == "place-1"


def test_a_stop_ends_the_waiting_and_the_poll_is_not_taken(store: Store) -> None:
    """Its checkpoint is not stored either: after the restart it is read again."""
    made = bench(store)
    fill(made)
    stopping = threading.Event()
    stopping.set()
    poll = Poll([single("a", NOW, 1.0)], "place-1")
    assert not made.intake.accept("file", poll, stopping=stopping)
    made.intake.flush()
    assert store.checkpoint("file") is None


def test_drops_that_could_not_be_noted_are_noted_later(store: Store) -> None:
    """A disk without a free page, and a log that cannot be written, cannot even store a counter."""
    made = bench(store)
    made.poll(1.0)
    store._commits.tables._db.execute("PRAGMA max_page_count = 1")
    store._commits.tables._db.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON counters BEGIN "
        "SELECT RAISE(FAIL, 'database or disk is full'); END"
    )
    log, read_only = store._commits.log._file, os.open(log_path(store.path), os.O_RDONLY)
    store._commits.log._file = read_only
    made.big_poll(10_000)
    assert store.counts().dropped == {}
    store._commits.log._file = log
    os.close(read_only)
    store._commits.tables._db.execute("DROP TRIGGER full")
    store._commits.tables._db.execute("PRAGMA max_page_count = 1000000")
    made.clock.advance(2.0)
    made.poll(2.0)
    assert store.counts().dropped == {"buffer_full": 10_000}
    assert store.counts().sampled == 10_002
    assert store.next_seq == 10_003


def test_readings_with_a_bad_name_are_counted_and_the_rest_arrives(store: Store) -> None:
    """Persistently: the device's own counters say what it dropped."""
    made = bench(store)
    runs = [single("", NOW, 1.0), single("a", NOW, 2.0)]
    made.intake.accept("live", Poll(runs, dropped={"unreadable": 3}), stopping=GO)
    made.intake.flush()
    assert store.counts().dropped == {"bad_name": 1, "unreadable": 3}
    assert store.counts().sampled == 5
    (batch,) = store.read(0)
    assert codecs.decode("arrow", batch.payload, 0).rows.num_rows == 1
