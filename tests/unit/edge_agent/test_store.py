"""The buffer file: what is promised about it, and what damage costs."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import zlib
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge_agent.buffer import schema
from edge_agent.buffer.log import log_path
from edge_agent.buffer.meter import written_bytes
from edge_agent.buffer.store import Store, StoredBatch
from edge_agent.encode import Header, compress, encode
from edge_agent.inputs.simulated.pump import NAMES, Pump
from edge_agent.readings import Run
from headrace.buffer_stats import read_buffer_stats
from headrace.clock import ManualClock
from headrace.errors import StorageError, StorageFull, UsageError
from headrace.limits.agent import ACK_SETTLE_S, BUFFER_LOG_BYTES, BUFFER_LOG_COMMIT_BYTES
from headrace.limits.sizes import MIB


def batch(first: int, rows: int, noise_bytes: int = 7) -> StoredBatch:
    payload = compress(random.Random(first).randbytes(noise_bytes))
    return StoredBatch(first, first + rows - 1, rows, 1, "boot", "synced", "{}", False, payload)


def open_store(path: Path, *, device: str = "pump-1", max_bytes: int = 64 * MIB) -> Store:
    return Store(path, device=device, max_bytes=max_bytes, clock=ManualClock())


def kill(store: Store) -> None:
    """End it as SIGKILL does: nothing is folded, nothing is said."""
    store._commits.log.close()
    store._commits.tables.close()
    os.close(store._lock_file)


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
        store.append([batch(1, 5, 700_000)], sampled=5, dropped={}, checkpoints={})
        with pytest.raises(StorageFull):
            store.append([batch(6, 5, 700_000)], sampled=5, dropped={}, checkpoints={})
        assert ranges(store) == [(1, 5)]
        assert store.next_seq == 6
        store.forget([(1, 5)])
        store.append([batch(6, 5, 700_000)], sampled=5, dropped={}, checkpoints={})


def test_a_disk_that_is_full_refuses_and_works_again(path: Path) -> None:
    """SQLite's own SQLITE_FULL rolls everything back, checkpoint included."""
    with closing(open_store(path)) as store:
        append(store, 1)
        store._commits.fold(store._commits.totals)
        (pages,) = store._commits.tables._db.execute("PRAGMA page_count").fetchone()
        store._commits.tables._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StorageFull):
            store.append([batch(2, 1, 100_000)], sampled=1, dropped={}, checkpoints={"csv": "9"})
        assert store.checkpoint("csv") is None
        store._commits.tables._db.execute("PRAGMA max_page_count = 1000000")
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
    store._commits.fold(store._commits.totals)
    store._commits.tables._db.execute("UPDATE batches SET payload = x'00' WHERE first_seq = 2")
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
    """The demo's summary does so; acks are seen with the next commit."""
    append(store, 4, 6)
    store.forget([(1, 4)])
    append(store, 1)
    stats = read_buffer_stats(path)
    assert (stats.device, stats.stream) == ("pump-1", store.stream)
    assert (stats.sampled, stats.acknowledged, stats.buffered, stats.batches) == (11, 4, 7, 2)


def test_small_commits_stay_in_the_log_and_survive_a_kill(path: Path) -> None:
    """Batches, counts, checkpoints and numbers; what was acknowledged before the last commit is gone."""
    store = open_store(path)
    append(store, 3, 2, checkpoints={"csv": "5"})
    store.forget([(1, 3)])
    store.refuse(4, dropped={"buffer_full": 4}, checkpoints={})
    append(store, 1)
    kill(store)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM batches").fetchone() == (0,)
    with closing(open_store(path)) as again:
        assert ranges(again) == [(4, 5), (10, 10)]
        assert again.next_seq == 11
        assert again.checkpoint("csv") == "5"
        counts = again.counts()
        assert (counts.sampled, counts.acknowledged, counts.dropped) == (10, 3, {"buffer_full": 4})


def test_acks_that_no_commit_carries_are_written_after_a_while(path: Path) -> None:
    """Else a device that is idle would send its last batches again after every restart."""
    clock = ManualClock()
    store = Store(path, device="pump-1", max_bytes=MIB, clock=clock)
    append(store, 3)
    store.forget([(1, 3)])
    store.settle(ACK_SETTLE_S)
    assert read_buffer_stats(path).acknowledged == 0
    clock.advance(ACK_SETTLE_S)
    store.settle(ACK_SETTLE_S)
    assert read_buffer_stats(path).acknowledged == 3
    kill(store)
    with closing(open_store(path)) as again:
        assert ranges(again) == []


def test_a_log_that_is_full_goes_to_the_tables_and_starts_over(path: Path) -> None:
    """Twice around: nothing is missing, nothing is there twice, at any commit."""
    store = open_store(path)
    for number in range(600):
        store.append(
            [batch(store.next_seq, 2, 4_000)], sampled=2, dropped={}, checkpoints={"c": str(number)}
        )
        if number % 3 == 0:
            store.forget([(store.next_seq - 2, store.next_seq - 1)])
    assert log_path(path).stat().st_size == BUFFER_LOG_BYTES
    expected = [(2 * n + 1, 2 * n + 2) for n in range(600) if n % 3]
    assert ranges(store) == expected
    kill(store)
    with closing(open_store(path)) as again:
        assert ranges(again) == expected
        assert again.checkpoint("c") == "599"
        assert again.counts().acknowledged == 400


def test_a_record_that_failed_and_is_there_all_the_same_gives_no_number_twice(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that writes and then says that it could not; what follows goes straight to the tables."""
    store = open_store(path)
    append(store, 3)
    real = os.pwrite

    def writes_and_fails(file: int, data: bytes, at: int) -> int:
        real(file, data, at)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pwrite", writes_and_fails)
    with pytest.raises(StorageError):
        append(store, 4)
    monkeypatch.setattr(os, "pwrite", real)
    store.append(
        [batch(4, 50, noise_bytes=2 * BUFFER_LOG_COMMIT_BYTES)],
        sampled=50, dropped={}, checkpoints={},
    )  # fmt: skip
    kill(store)
    with closing(open_store(path)) as again:
        assert again.next_seq == 54
        assert ranges(again) == [(1, 3), (4, 53)]
        append(again, 2)
        assert again.counts().buffered == 55


def test_a_reader_sees_every_batch_while_the_log_is_emptied(store: Store) -> None:
    """A fold between two batches shows nothing twice and hides nothing."""
    append(store, 1, 1, 1)
    reading = store.read(0)
    seen = [next(reading).first_seq]
    store._commits.fold(store._commits.totals)
    append(store, 1)
    seen += [stored.first_seq for stored in reading]
    assert seen[:3] == [1, 2, 3]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("torn", [1, 20, 60])
def test_a_last_record_that_is_torn_never_happened(path: Path, torn: int) -> None:
    """Its commit had not returned: its numbers are given out again, nobody has seen them."""
    store = open_store(path)
    append(store, 2)
    at = store._commits.log._at
    append(store, 3)
    kill(store)
    damage(log_path(path), at + torn)
    with closing(open_store(path)) as again:
        assert ranges(again) == [(1, 2)]
        assert again.next_seq == 3
        assert again.counts().sampled == 2


def test_a_record_that_rotted_is_counted_and_its_numbers_are_not_used_again(path: Path) -> None:
    """Records behind it say that it was there."""
    store = open_store(path)
    append(store, 2)
    at = store._commits.log._at
    append(store, 3)
    append(store, 4)
    kill(store)
    damage(log_path(path), at + 40)
    with closing(open_store(path)) as again:
        assert ranges(again) == [(1, 2), (6, 9)]
        counts = again.counts()
        assert (counts.sampled, counts.dropped) == (9, {"damaged": 3})


def test_the_first_record_takes_the_ones_that_need_it_along(path: Path) -> None:
    """They are compressed with it: counted, and the numbers go on behind them."""
    store = open_store(path)
    append(store, 2)
    append(store, 3)
    kill(store)
    damage(log_path(path), 512 + 40)
    with closing(open_store(path)) as again:
        assert again.next_seq == 6
        assert ranges(again) == []


def damage(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


def test_a_buffer_without_its_log_is_damaged(path: Path) -> None:
    """Numbers might be given out twice: a new stream, and the old file is kept."""
    store = open_store(path)
    append(store, 2)
    stream = store.stream
    kill(store)
    log_path(path).unlink()
    with closing(open_store(path)) as again:
        assert again.stream != stream
    assert list(path.parent.glob("buffer.db.corrupt-*"))


def test_a_file_of_version_1_is_taken_over(path: Path) -> None:
    """Stream, numbers, counts, checkpoint and what is unacknowledged."""
    write_version_1(path)
    assert read_buffer_stats(path).acknowledged == 5
    with closing(open_store(path)) as store:
        assert store.stream == "00112233445566aa"
        assert ranges(store) == [(8, 9)]
        assert store.checkpoint("csv") == "9"
        append(store, 1)
        counts = store.counts()
        assert (counts.sampled, counts.acknowledged, counts.buffered) == (10, 5, 3)
        assert counts.dropped == {"buffer_full": 2}
    assert read_buffer_stats(path).sampled == 10


def write_version_1(path: Path) -> None:
    """As the first release of the agent left it."""
    path.parent.mkdir()
    stored = batch(8, 2)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(schema.SCHEMA)
        meta = {
            "version": "1",
            "device": "pump-1",
            "stream": "00112233445566aa",
            "next_seq": "10",
        }
        db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        counters = {"sampled": 9, "acknowledged": 5, "dropped:buffer_full": 2}
        db.executemany("INSERT INTO counters VALUES (?, ?)", counters.items())
        db.execute("INSERT INTO checkpoints VALUES ('csv', '9')")
        db.execute(
            "INSERT INTO batches VALUES (8, 9, 2, 1, 'boot', 'synced', '{}', 0, ?, ?)",
            (zlib.crc32(stored.payload), stored.payload),
        )
        db.commit()


def test_a_log_on_a_file_system_without_direct_writes_works(tmp_path: Path) -> None:
    """tmpfs, where this machine has one."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        pytest.skip("no /dev/shm here")
    with TemporaryDirectory(dir=memory) as folder:
        store = open_store(Path(folder) / "buffer.db")
        append(store, 3)
        kill(store)
        with closing(open_store(Path(folder) / "buffer.db")) as again:
            assert ranges(again) == [(1, 3)]


def test_a_commit_writes_what_its_readings_take(store: Store, path: Path) -> None:
    """100 readings a second in two sectors of 512 bytes; the same figures stand in the counts."""
    pump, before, commits = Pump(seed=1, step_s=0.08), 0, 40
    for number in range(commits):
        if number == 1:  # the first is a small one, and the one behind it their base
            before = written_bytes()
        store.append(
            [second_of(pump, store, number)], sampled=104, dropped={}, checkpoints={}
        )  # fmt: skip
    per_reading = (written_bytes() - before) / (104 * (commits - 1))
    assert per_reading <= 12
    assert read_buffer_stats(path).written_readings == 104 * commits


def second_of(pump: Pump, store: Store, number: int) -> StoredBatch:
    """What a pump with eight series at 12.5 Hz gives in a second, encoded."""
    start = 1_790_000_000_000_000 + number * 1_040_000
    times = array("q", range(start, start + 1_040_000, 80_000))
    columns = zip(*(pump.step() for _ in times), strict=True)
    runs = [
        Run(name, times, array("d", column)) for name, column in zip(NAMES, columns, strict=True)
    ]
    header = Header(store.stream, store.next_seq, "boot", "synced", {}, False)
    last = store.next_seq + 103
    payload = encode(runs, header)
    return StoredBatch(
        store.next_seq, last, 104, start, "boot", "synced", "{}", False, payload
    )  # fmt: skip


def test_a_new_buffer_has_no_use_for_the_wal_of_one_that_is_gone(path: Path) -> None:
    """SQLite would put its pages into the new file."""
    store = open_store(path)
    store.append([batch(1, 1, 100_000)], sampled=1, dropped={}, checkpoints={})
    kill(store)
    wal = path.with_name(path.name + "-wal")
    path.unlink()
    wal.write_bytes(b"left over")
    with closing(open_store(path)) as again:
        append(again, 2)
        assert ranges(again) == [(1, 2)]
    assert read_buffer_stats(path).sampled == 2
