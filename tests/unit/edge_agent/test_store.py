"""The buffer file: what is promised about it, and what damage costs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.buffer.store import Store, StoredBatch
from headrace.buffer_stats import read_buffer_stats
from headrace.clock import ManualClock
from headrace.errors import StorageFull, UsageError
from headrace.limits import MIB


def batch(first: int, rows: int, payload: bytes = b"payload") -> StoredBatch:
    return StoredBatch(first, first + rows - 1, rows, 1, "boot", "synced", "{}", False, payload)


def open_store(path: Path, *, device: str = "pump-1", max_bytes: int = 64 * MIB) -> Store:
    return Store(path, device=device, max_bytes=max_bytes, clock=ManualClock())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "buffer.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(open_store(path)) as opened:
        yield opened


def append(store: Store, *rows: int, checkpoints: dict[str, str] | None = None) -> None:
    batches, first = [], store.next_seq
    for count in rows:
        batches.append(batch(first, count))
        first += count
    store.append(batches, sampled=sum(rows), dropped={}, checkpoints=checkpoints or {})


def ranges(store: Store, after: int = 0) -> list[tuple[int, int]]:
    return [(stored.first_seq, stored.last_seq) for stored in store.read(after)]


def test_numbers_follow_without_holes_over_a_restart(path: Path) -> None:
    """A restart goes on in the same stream with the next number."""
    with closing(open_store(path)) as store:
        append(store, 3, 2)
        stream = store.stream
    with closing(open_store(path)) as store:
        append(store, 4)
        assert store.stream == stream
        assert ranges(store) == [(1, 3), (4, 5), (6, 9)]
        assert ranges(store, after=3) == [(4, 5), (6, 9)]


def test_forgotten_batches_are_counted_in_the_same_transaction(store: Store) -> None:
    """sampled = acknowledged + buffered + dropped, always."""
    append(store, 3, 2, 5)
    assert store.forget([(1, 5)]) == 5
    assert store.drop([(6, 10)], "refused") == 5
    counts = store.counts()
    assert (counts.sampled, counts.acknowledged, counts.buffered) == (10, 5, 0)
    assert counts.dropped == {"refused": 5}


def test_a_batch_that_is_acknowledged_in_part_stays(store: Store) -> None:
    """Only what lies whole in the range is deleted."""
    append(store, 3, 3)
    assert store.forget([(1, 4)]) == 3
    assert ranges(store) == [(4, 6)]


def test_refused_readings_use_up_their_numbers(store: Store) -> None:
    """The gateway can name the gap."""
    append(store, 3)
    store.refuse(7, dropped={"buffer_full": 7}, checkpoints={})
    append(store, 2)
    assert ranges(store) == [(1, 3), (11, 12)]
    assert store.counts().sampled == 12


def test_over_the_budget_the_oldest_are_kept_and_the_new_refused(path: Path) -> None:
    """StorageFull, and nothing of the new is stored."""
    with closing(open_store(path, max_bytes=MIB)) as store:
        store.append([batch(1, 5, bytes(700_000))], sampled=5, dropped={}, checkpoints={})
        with pytest.raises(StorageFull):
            store.append([batch(6, 5, bytes(700_000))], sampled=5, dropped={}, checkpoints={})
        assert ranges(store) == [(1, 5)]
        assert store.next_seq == 6
        store.forget([(1, 5)])
        store.append([batch(6, 5, bytes(700_000))], sampled=5, dropped={}, checkpoints={})


def test_a_disk_that_is_full_refuses_and_works_again(path: Path) -> None:
    """SQLite's own SQLITE_FULL rolls everything back, checkpoint included."""
    with closing(open_store(path)) as store:
        append(store, 1)
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StorageFull):
            store.append(
                [batch(2, 1, bytes(100_000))], sampled=1, dropped={}, checkpoints={"csv": "9"}
            )
        assert store.checkpoint("csv") is None
        store._db.execute("PRAGMA max_page_count = 1000000")
        append(store, 1, checkpoints={"csv": "10"})
        assert ranges(store) == [(1, 1), (2, 2)]
        assert store.checkpoint("csv") == "10"


def test_a_file_of_garbage_is_moved_aside_and_a_new_stream_started(path: Path) -> None:
    """Damage costs what was only in that file, is said, and never stops the device."""
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 1_000)
    with closing(open_store(path)) as store:
        append(store, 2)
    (aside,) = path.parent.glob("buffer.db.corrupt-*")
    assert aside.read_bytes().startswith(b"this is no database")


def test_a_torn_page_is_noticed_at_start(path: Path) -> None:
    """A page in the middle of the tables is overwritten."""
    with closing(open_store(path)) as store:
        stream = store.stream
        for _ in range(50):
            append(store, 1)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 3 * 4096 + 400] = bytes([0xAB]) * 400
    path.write_bytes(content)
    with closing(open_store(path)) as store:
        assert store.stream != stream
    assert list(path.parent.glob("buffer.db.corrupt-*"))


def test_a_payload_that_rotted_is_dropped_alone(store: Store) -> None:
    """SQLite does not check its pages; the checksum finds it, and its neighbours are sent."""
    append(store, 1, 1, 1)
    store._db.execute("UPDATE batches SET payload = x'00' WHERE first_seq = 2")
    assert ranges(store) == [(1, 1), (3, 3)]
    assert store.counts().dropped == {"damaged": 1}


def test_two_agents_cannot_share_a_buffer(store: Store, path: Path) -> None:
    """They would give one number to two readings."""
    with pytest.raises(UsageError, match="used by another agent"):
        open_store(path)


def test_a_buffer_of_another_device_is_refused(path: Path) -> None:
    """Its readings would be sent under the wrong name."""
    open_store(path, device="pump-1").close()
    with pytest.raises(UsageError, match="belongs to device 'pump-1'"):
        open_store(path, device="pump-2")


def test_the_counts_can_be_read_while_the_agent_runs(store: Store, path: Path) -> None:
    """The demo's summary does so."""
    append(store, 4, 6)
    store.forget([(1, 4)])
    stats = read_buffer_stats(path)
    assert (stats.device, stats.stream) == ("pump-1", store.stream)
    assert (stats.sampled, stats.acknowledged, stats.buffered, stats.batches) == (10, 4, 6, 1)
