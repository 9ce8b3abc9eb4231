"""The buffer's one writer: append sealed batches, hand them out in order, forget them when told.

Used by two sides at once: inputs and the sealer append, the uplink reads and forgets. Writes share
one connection behind one lock; reads have a connection of their own, so that handing out a batch
never waits for an fsync. Only one process may write a buffer; a lock file sees to that, because two
agents on one buffer would give one number to two readings.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import zlib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.buffer import schema
from edge_agent.buffer.files import check, connect, set_aside, take_lock
from headrace.batch import new_stream_id
from headrace.clock import Clock
from headrace.errors import StorageCorrupt, StorageError, StorageFull, UsageError
from headrace.journal import storage_errors
from headrace.limits import BUFFER_WAITING_SHARE
from headrace.ranges import Range

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One row of ``batches``."""

    first_seq: int
    last_seq: int
    rows: int
    sealed_at: int
    boot: str
    clock: str
    units: str
    has_text: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Counts:
    """The persistent counters, in readings: sampled = acknowledged + buffered + dropped."""

    sampled: int
    acknowledged: int
    dropped: Mapping[str, int]

    @property
    def buffered(self) -> int:
        return self.sampled - self.acknowledged - sum(self.dropped.values())


class Store:
    """An open buffer file.

    Args:
        path: the file; created with its folder when missing.
        device: whose buffer it is. A file that belongs to another device is refused.
        max_bytes: budget for the pages in use.
    """

    def __init__(self, path: Path, *, device: str, max_bytes: int, clock: Clock) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._space = threading.Condition()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock_file = take_lock(path)
        try:
            self._open_or_replace(device, clock)
        except BaseException:
            os.close(self._lock_file)
            raise

    def _open_or_replace(self, device: str, clock: Clock) -> None:
        try:
            self._open(device)
        except StorageCorrupt as error:
            aside = set_aside(self.path, clock)
            _log.error(
                "%s; moved to %s, and a new stream is started: readings that were only in the old "
                "file are not sent (edge-agent buffer export reads what is left of it)", error, aside,
            )  # fmt: skip
            self._open(device)

    def _open(self, device: str) -> None:
        with storage_errors("buffer", self.path):
            self._db = connect(self.path)
            try:
                check(self._db, self.path)
                self._db.executescript(schema.SCHEMA)
                self._load(device)
            except BaseException:
                self._db.close()
                raise
            self._reader = connect(self.path)
            self._page_bytes = int(self._db.execute("PRAGMA page_size").fetchone()[0])

    def _load(self, device: str) -> None:
        meta = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        if not meta:
            meta = {
                "version": str(schema.FORMAT_VERSION), "device": device,
                "stream": new_stream_id(), "next_seq": "1",
            }  # fmt: skip
            with self._transaction():
                self._db.executemany(schema.SET_META, meta.items())
        if meta.get("version") != str(schema.FORMAT_VERSION):
            raise StorageError(
                f"buffer {self.path}: expected version {schema.FORMAT_VERSION}, got {meta.get('version')}",
                hint="use the agent version that wrote it, or another buffer.path",
            )
        if meta["device"] != device:
            raise UsageError(
                f"buffer {self.path} belongs to device {meta['device']!r}, not to {device!r}",
                hint="set device back until it is drained, or choose another buffer.path",
            )
        self.stream = meta["stream"]
        self.next_seq = int(meta["next_seq"])
        self._counters = Counter(
            dict(self._db.execute("SELECT name, value FROM counters").fetchall())
        )

    # --- appending --------------------------------------------------------------------------------

    def append(
        self,
        batches: Sequence[StoredBatch],
        *,
        sampled: int,
        dropped: Mapping[str, int],
        checkpoints: Mapping[str, str],
    ) -> None:
        """Store batches that start at ``next_seq``; all or nothing, on disk when this returns.

        Raises:
            StorageFull: over the budget, or the disk is full; nothing was stored.
            StorageError: the write failed; nothing was stored.
        """
        if batches and self.used_bytes() + sum(len(b.payload) for b in batches) > self._max_bytes:
            raise StorageFull(
                f"buffer {self.path}: {self._max_bytes} bytes are used up",
                hint="raise buffer.max_bytes, or look why the gateway does not acknowledge",
            )
        next_seq = batches[-1].last_seq + 1 if batches else self.next_seq
        self._write(batches, next_seq, _changes(sampled, dropped), checkpoints)

    def refuse(
        self, rows: int, *, dropped: Mapping[str, int], checkpoints: Mapping[str, str]
    ) -> None:
        """Note that readings are dropped; ``rows`` of them use up their numbers.

        Raises:
            StorageError: not even that could be written; say it again with the next ones.
        """
        changes = _changes(sum(dropped.values()), dropped)
        self._write((), self.next_seq + rows, changes, checkpoints)

    def _write(
        self,
        batches: Sequence[StoredBatch],
        next_seq: int,
        changes: Mapping[str, int],
        checkpoints: Mapping[str, str],
    ) -> None:
        with self._lock, storage_errors("buffer", self.path):
            with self._transaction():
                self._db.executemany(schema.INSERT_BATCH, map(_row, batches))
                self._db.execute(schema.SET_META, ("next_seq", str(next_seq)))
                self._db.executemany(schema.ADD_TO_COUNTER, changes.items())
                self._db.executemany(schema.SET_CHECKPOINT, checkpoints.items())
            self.next_seq = next_seq
            self._counters.update(changes)

    # --- handing out ------------------------------------------------------------------------------

    def read(self, after: int) -> Generator[StoredBatch, None, None]:
        """Batches behind the number ``after``, in order, as long as the caller asks for more.

        One thread at a time. A payload that does not match its checksum is dropped and counted.
        """
        with storage_errors("buffer", self.path), closing(self._reader.cursor()) as cursor:
            for row in cursor.execute(schema.READ_BATCHES, (after,)):
                if zlib.crc32(row[9]) == row[8]:
                    yield _batch(row)
                else:
                    _log.error("buffer %s: batch %d-%d is damaged", self.path, row[0], row[1])
                    self.drop([(row[0], row[1])], "damaged")

    def checkpoint(self, key: str) -> str | None:
        """Where the input of that key goes on."""
        with self._lock, storage_errors("buffer", self.path):
            row = self._db.execute(
                "SELECT value FROM checkpoints WHERE input = ?", (key,)
            ).fetchone()
        return str(row[0]) if row else None

    # --- forgetting -------------------------------------------------------------------------------

    def forget(self, ranges: Sequence[Range]) -> int:
        """Delete what the gateway has on disk; returns how many readings that were."""
        return self._delete(ranges, "acknowledged")

    def drop(self, ranges: Sequence[Range], reason: str) -> int:
        """Delete what will never be acknowledged, and count it."""
        return self._delete(ranges, schema.DROPPED_PREFIX + reason)

    def _delete(self, ranges: Sequence[Range], counter: str) -> int:
        with self._lock, storage_errors("buffer", self.path):
            self._db.execute("PRAGMA synchronous = NORMAL")
            try:
                with self._transaction():
                    rows = sum(self._delete_range(first, last) for first, last in ranges)
                    self._db.execute(schema.ADD_TO_COUNTER, (counter, rows))
            finally:
                self._db.execute("PRAGMA synchronous = FULL")
            self._counters[counter] += rows
        with self._space:
            self._space.notify_all()
        return rows

    def _delete_range(self, first: int, last: int) -> int:
        where = "WHERE first_seq BETWEEN ? AND ? AND last_seq <= ?"
        (rows,) = self._db.execute(
            f"SELECT coalesce(sum(rows), 0) FROM batches {where}",  # noqa: S608  (a constant)
            (first, last, last),
        ).fetchone()
        self._db.execute(f"DELETE FROM batches {where}", (first, last, last))  # noqa: S608
        return int(rows)

    # --- state ------------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """The persistent counters as they are now."""
        with self._lock:
            counters = dict(self._counters)
        prefix = schema.DROPPED_PREFIX
        dropped = {
            name.removeprefix(prefix): value
            for name, value in counters.items()
            if name.startswith(prefix)
        }
        return Counts(counters.get("sampled", 0), counters.get("acknowledged", 0), dropped)

    def used_bytes(self) -> int:
        """Bytes of pages in use; the file itself does not shrink, its free pages are used again."""
        with self._lock, storage_errors("buffer", self.path):
            (pages,) = self._db.execute("PRAGMA page_count").fetchone()
            (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        return int(pages - free) * self._page_bytes

    def has_room_for_waiting(self) -> bool:
        """Whether inputs that can wait may go on; the last quarter is kept for those that cannot."""
        return self.used_bytes() < self._max_bytes * BUFFER_WAITING_SHARE

    def wait_for_space(self, timeout_s: float) -> None:
        """Sleep until something was forgotten, or the time is over."""
        with self._space:
            self._space.wait(timeout_s)

    def close(self) -> None:
        """Close the file; what was appended is on disk already."""
        with self._lock:
            self._reader.close()
            self._db.close()
            os.close(self._lock_file)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # A full disk ends the transaction by itself; then there is nothing to roll back.
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise


def _batch(row: tuple[Any, ...]) -> StoredBatch:
    first, last, rows, sealed_at, boot, clock, units, has_text, _, payload = row
    return StoredBatch(first, last, rows, sealed_at, boot, clock, units, bool(has_text), payload)


def _changes(sampled: int, dropped: Mapping[str, int]) -> dict[str, int]:
    changes = {schema.DROPPED_PREFIX + reason: count for reason, count in dropped.items()}
    return {"sampled": sampled, **changes}


def _row(batch: StoredBatch) -> tuple[int | str | bytes, ...]:
    return (
        batch.first_seq, batch.last_seq, batch.rows, batch.sealed_at, batch.boot, batch.clock,
        batch.units, int(batch.has_text), zlib.crc32(batch.payload), batch.payload,
    )  # fmt: skip
