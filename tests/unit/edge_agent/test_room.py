"""A full buffer: what goes, what stays, and that every reading is counted."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from edge_agent.buffer.batches import StoredBatch
from edge_agent.buffer.schema import WhenFull
from edge_agent.buffer.store import Store
from edge_agent.buffer.thin import neighbours
from edge_agent.encode import Header, encode, units_of
from edge_agent.readings import Run
from headrace import codecs
from headrace.clock import ManualClock
from headrace.errors import StorageFull
from headrace.limits.agent import BUFFER_ROOM_STEP_BATCHES
from headrace.limits.sizes import MIB
from headrace.wire import to_json

SERIES = ("flow", "level", "power")
START_US = 1_790_000_000_000_000


def value_at(time: int) -> float:
    """All bits are used, so that a batch does not shrink to nothing."""
    return math.sin(time - START_US)


def made(
    stream: str, first_seq: int, at: int, steps: int, texts: bool = False, unit: str = "m"
) -> StoredBatch:
    """A batch of three series whose values follow from their times, so that content can be checked."""
    times = array("q", range(START_US + at, START_US + at + steps))
    runs = [Run(name, times, array("d", (value_at(t) for t in times)), unit) for name in SERIES]
    if texts:
        runs.append(Run("mode", times, [f"step {time}" for time in times]))
    header = Header(stream, first_seq, "boot", "synced", units_of(runs), texts)
    rows = sum(run.rows for run in runs)
    return StoredBatch(
        first_seq, first_seq + rows - 1, rows, at, "boot", "synced", to_json(units_of(runs)),
        texts, encode(runs, header),
    )  # fmt: skip


class Device:
    """A store that is fed, and what became of it."""

    def __init__(self, path: Path, when_full: WhenFull, max_bytes: int = MIB) -> None:
        self.store = Store(
            path, device="d", max_bytes=max_bytes, clock=ManualClock(), when_full=when_full
        )
        self.at = self.refused = 0

    def feed(self, steps: int, texts: bool = False, unit: str = "m") -> bool:
        batch = made(self.store.stream, self.store.next_seq, self.at, steps, texts, unit)
        self.at += steps
        try:
            self.store.append([batch], sampled=batch.rows, dropped={}, checkpoints={})
        except StorageFull:
            self.refused += batch.rows
            self.store.refuse(batch.rows, dropped={"buffer_full": batch.rows}, checkpoints={})
            return False
        return True

    def check(self) -> list[StoredBatch]:
        """The counts are true, and numbers only go up."""
        stored = list(self.store.read(0))
        counts = self.store.counts()
        assert counts.buffered == sum(batch.rows for batch in stored)
        assert counts.acknowledged >= 0
        last = 0
        for batch in stored:
            assert last < batch.first_seq <= batch.last_seq < self.store.next_seq
            decoded = codecs.decode("arrow", batch.payload, 0)
            assert (decoded.first_seq, decoded.rows.num_rows) == (batch.first_seq, batch.rows)
            last = batch.last_seq
        return stored


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "buffer.db"


def devices(path: Path, when_full: WhenFull) -> Iterator[Device]:
    device = Device(path, when_full)
    with closing(device.store):
        yield device


@pytest.fixture
def dropping(path: Path) -> Iterator[Device]:
    yield from devices(path, "drop_oldest")


@pytest.fixture
def thinning(path: Path) -> Iterator[Device]:
    yield from devices(path, "thin_out")


def test_drop_oldest_keeps_the_newest_and_refuses_nothing(dropping: Device) -> None:
    """What went is one gap at the beginning, counted."""
    while dropping.at < 120_000:
        assert dropping.feed(1_000)
    stored = dropping.check()
    dropped = dropping.store.counts().dropped
    assert stored[-1].last_seq == dropping.store.next_seq - 1
    assert dropped == {"dropped_oldest": stored[0].first_seq - 1}
    assert dropping.store.used_bytes() <= MIB


def test_what_the_uplink_holds_is_not_dropped(dropping: Device) -> None:
    """It may be on its way; with nothing else to drop the new readings are refused."""
    for _ in range(10):
        dropping.feed(1_000)
    reading = dropping.store.read(0)
    lent = [next(reading).first_seq for _ in range(4)]
    reading.close()
    while dropping.at < 120_000:
        dropping.feed(1_000)
    dropping.store._lent = dropping.store.next_seq
    assert not dropping.feed(1_000)
    assert [batch.first_seq for batch in dropping.check()][:4] == lent


def test_thin_out_keeps_the_whole_time_and_gets_coarser_towards_its_beginning(
    thinning: Device,
) -> None:
    """Every series from first to last, each reading with the value that it was sampled with."""
    while thinning.at < 120_000:
        thinning.feed(500)
    stored = thinning.check()
    readings = [reading for batch in stored for reading in readings_of(batch, "flow")]
    assert all(value == value_at(time) for time, value in readings)
    times = [time for time, _ in readings]
    assert times == sorted(times)
    assert times[0] == START_US
    assert times[-1] == START_US + 119_999
    early, late = times[1] - times[0], times[-1] - times[-2]
    assert early >= 4 * late
    counts = thinning.store.counts()
    assert counts.dropped["thinned_out"] == counts.sampled - counts.buffered - thinning.refused
    assert thinning.refused < counts.sampled // 20


def readings_of(batch: StoredBatch, name: str) -> list[tuple[int, float]]:
    rows = pa.Table.from_batches([codecs.decode("arrow", batch.payload, 0).rows])
    rows = rows.filter(pc.equal(pc.cast(rows["name"], pa.utf8()), name))
    times = pc.cast(rows["time"], pa.int64())
    return list(zip(times.to_pylist(), rows["value"].to_pylist(), strict=True))


def test_thin_out_joins_what_holds_one_reading_a_series(thinning: Device) -> None:
    """A device that samples once a second has nothing to halve within a batch."""
    while "thinned_out" not in thinning.store.counts().dropped and thinning.at < 20_000:
        assert thinning.feed(1)
    first = next(iter(thinning.store.read(0)))
    assert first.rows == BUFFER_ROOM_STEP_BATCHES * len(SERIES) // 2


def test_thin_out_joins_no_batches_whose_units_differ(thinning: Device) -> None:
    """A sensor was set to another unit in between: half of its readings must not change theirs."""
    for turn in range(2 * BUFFER_ROOM_STEP_BATCHES):
        thinning.feed(4, unit="mm" if turn % 2 else "m")
    group = neighbours(thinning.check())
    assert len(group) == 1
    assert len({one.units for one in group}) == 1


def test_thin_out_keeps_texts_and_numbers_apart(thinning: Device) -> None:
    """A reading is one or the other after it was thinned as before."""
    while "thinned_out" not in thinning.store.counts().dropped:
        thinning.feed(200, texts=True)
    rows = codecs.decode("arrow", thinning.check()[0].payload, 0).rows
    texts = [row for row in rows.to_pylist() if row["name"] == "mode"]
    assert texts
    assert all(row["value"] is None and row["text"].startswith("step") for row in texts)


@pytest.mark.parametrize("when_full", ["refuse_new", "drop_oldest", "thin_out"])
@pytest.mark.parametrize("seed", range(4))
def test_counts_are_true_whatever_happens(path: Path, when_full: WhenFull, seed: int) -> None:
    """Appends of all sizes, acks, reads and kills in any order, far over the budget."""
    chance = random.Random(seed)
    device = Device(path, when_full)
    for _ in range(150):
        match chance.choice(("feed", "feed", "feed", "feed", "ack", "lend", "restart")):
            case "feed":
                device.feed(chance.choice((1, 10, 300, 3_000)))
            case "ack":
                for batch in list(device.store.read(0))[: chance.randrange(3)]:
                    device.store.forget([(batch.first_seq, batch.last_seq)])
            case "lend":
                reading = device.store.read(0)
                lent = [batch.first_seq for _, batch in zip(range(3), reading, strict=False)]
                reading.close()
                device.feed(1_000)
                assert [b.first_seq for b in device.store.read(0)][: len(lent)] == lent
            case "restart":
                device.store.close()
                device.store = Device(path, when_full).store
    stored = device.check()
    assert device.store.used_bytes() <= 2 * MIB
    for batch in stored:
        device.store.forget([(batch.first_seq, batch.last_seq)])
    assert device.store.counts().buffered == 0
    device.store.close()
