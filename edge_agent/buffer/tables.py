"""The SQLite side of the buffer: a writing connection, a reading one, and the statements.

Nothing here locks: ``store`` calls everything that writes with its lock held. Reading has a
connection of its own, so that handing out a batch waits for nobody's fsync.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from edge_agent.buffer import schema
from edge_agent.buffer.batches import StoredBatch
from edge_agent.buffer.files import check, connect, sync_folder
from edge_agent.buffer.log import create, log_path
from headrace.batch import new_stream_id
from headrace.buffer_log import Totals, from_counters, to_counters
from headrace.errors import StorageError, UsageError
from headrace.ranges import Range
from headrace.sqlite import storage_errors

_log = logging.getLogger(__name__)


class Tables:
    """An open buffer database.

    Raises:
        StorageCorrupt: it is damaged.
        UsageError: it belongs to another device.
    """

    def __init__(self, path: Path, device: str) -> None:
        self.path = path
        with storage_errors("buffer", path):
            if not path.exists():
                _make(path, device)
            self._db = connect(path)
            try:
                check(self._db, path)
                self._db.executescript(schema.SCHEMA)
                self._load(device)
                self._reader = connect(path)
            except BaseException:
                self._db.close()
                raise
            self._page_bytes = int(self._db.execute("PRAGMA page_size").fetchone()[0])

    # --- opening ----------------------------------------------------------------------------------

    def _load(self, device: str) -> None:
        meta = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        meta = self._prepare(meta, device)
        self.stream = meta["stream"]
        self.log_id = meta["log"]
        self.lsn = int(meta["lsn"])
        self.next_seq = int(meta["next_seq"])
        counters = dict(self._db.execute("SELECT name, value FROM counters").fetchall())
        self.totals = from_counters(counters)
        (self.rows,) = self._db.execute("SELECT coalesce(sum(rows), 0) FROM batches").fetchone()

    def _prepare(self, meta: dict[str, str], device: str) -> dict[str, str]:
        """Check whose file it is and bring it to this version."""
        version = meta.get("version", "") if meta else "1"
        if version not in ("1", str(schema.FORMAT_VERSION)):
            raise StorageError(
                f"buffer {self.path}: expected version {schema.FORMAT_VERSION}, got {version}",
                hint="use the agent version that wrote it, or another buffer.path",
            )
        if meta and meta["device"] != device:
            raise UsageError(
                f"buffer {self.path} belongs to device {meta['device']!r}, not to {device!r}",
                hint="set device back until it is drained, or choose another buffer.path",
            )
        if version != "1":
            return meta
        new = _new_meta(device) | meta | {"version": str(schema.FORMAT_VERSION)}
        create(log_path(self.path), new["log"])
        with self.transaction():
            self._db.executemany(schema.SET_META, new.items())
            self._db.execute("DELETE FROM counters WHERE name = 'acknowledged'")
        return new

    # --- writing ----------------------------------------------------------------------------------

    def fold(
        self,
        batches: Iterable[StoredBatch],
        *,
        totals: Totals,
        next_seq: int,
        lsn: int,
        checkpoints: Mapping[str, str],
        delete: Sequence[Range] = (),
    ) -> None:
        """Take over what the log holds up to ``lsn``, and more; one transaction, fsynced."""
        meta = {"next_seq": str(next_seq), "lsn": str(lsn)}
        added = 0
        with storage_errors("buffer", self.path), self.transaction():
            removed = self._delete(delete)
            for batch in batches:
                self._db.execute(schema.INSERT_BATCH, _row(batch))
                added += batch.rows
            self._db.executemany(schema.SET_META, meta.items())
            self._db.executemany(schema.SET_COUNTER, to_counters(totals).items())
            self._db.executemany(schema.SET_CHECKPOINT, checkpoints.items())
        self.rows += added - removed

    def forget(self, ranges: Sequence[Range]) -> int:
        """Delete what lies whole in the ranges, without an fsync; returns how many readings."""
        with storage_errors("buffer", self.path):
            self._db.execute("PRAGMA synchronous = NORMAL")
            try:
                with self.transaction():
                    removed = self._delete(ranges)
            finally:
                self._db.execute("PRAGMA synchronous = FULL")
        self.rows -= removed
        return removed

    def _delete(self, ranges: Sequence[Range]) -> int:
        removed = self.count(ranges)
        for first, last in ranges:
            self._db.execute(f"DELETE {schema.IN_RANGE}", (first, last, last))
        return removed

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # A full disk ends the transaction by itself; then there is nothing to roll back.
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    # --- reading ----------------------------------------------------------------------------------

    def count(self, ranges: Sequence[Range]) -> int:
        """Readings of the batches that lie whole in the ranges."""
        select = f"SELECT coalesce(sum(rows), 0) {schema.IN_RANGE}"
        with storage_errors("buffer", self.path):
            return sum(
                int(self._db.execute(select, (first, last, last)).fetchone()[0])
                for first, last in ranges
            )

    def read(self, after: int) -> Generator[tuple[StoredBatch, bool], None, None]:
        """Batches behind the number ``after`` in order, each with whether its payload is sound."""
        with storage_errors("buffer", self.path), closing(self._reader.cursor()) as cursor:
            for row in cursor.execute(schema.READ_BATCHES, (after,)):
                yield _batch(row), _is_sound(row)

    def oldest(self, after: int, limit: int) -> list[tuple[StoredBatch, bool]]:
        """The first batches behind the number ``after``, for whoever makes room."""
        with storage_errors("buffer", self.path):
            rows = self._db.execute(f"{schema.READ_BATCHES} LIMIT ?", (after, limit)).fetchall()
        return [(_batch(row), _is_sound(row)) for row in rows]

    def checkpoint(self, key: str) -> str | None:
        with storage_errors("buffer", self.path):
            row = self._db.execute(
                "SELECT value FROM checkpoints WHERE input = ?", (key,)
            ).fetchone()
        return str(row[0]) if row else None

    def used_bytes(self) -> int:
        """Bytes of pages in use; the file itself does not shrink, its free pages are used again."""
        with storage_errors("buffer", self.path):
            (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        return int(pages) * self._page_bytes - self.free_bytes()

    def free_bytes(self) -> int:
        """Bytes of the file that are used again before it grows."""
        with storage_errors("buffer", self.path):
            (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        return int(free) * self._page_bytes

    def close(self) -> None:
        self._reader.close()
        self._db.close()


def _make(path: Path, device: str) -> None:
    """A new buffer; it appears under its name when all of it is there, for whoever reads along."""
    for suffix in (
        "-wal",
        "-shm",
    ):  # of a file that is gone; SQLite would put them into the new one
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    meta = _new_meta(device)
    create(log_path(path), meta["log"])
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new)) as db:
        db.executescript(schema.SCHEMA)
        db.executemany(schema.SET_META, meta.items())
        db.commit()
    new.replace(path)
    sync_folder(path.parent)


def _new_meta(device: str) -> dict[str, str]:
    return {
        "version": str(schema.FORMAT_VERSION), "device": device, "stream": new_stream_id(),
        "next_seq": "1", "log": secrets.token_hex(8), "lsn": "0",
    }  # fmt: skip


def _batch(row: tuple[Any, ...]) -> StoredBatch:
    first, last, rows, sealed_at, boot, clock, units, has_text, _, payload = row
    return StoredBatch(first, last, rows, sealed_at, boot, clock, units, bool(has_text), payload)


def _is_sound(row: tuple[Any, ...]) -> bool:
    return bool(zlib.crc32(row[9]) == row[8])


def _row(batch: StoredBatch) -> tuple[int | str | bytes, ...]:
    return (
        batch.first_seq, batch.last_seq, batch.rows, batch.sealed_at, batch.boot, batch.clock,
        batch.units, int(batch.has_text), zlib.crc32(batch.payload), batch.payload,
    )  # fmt: skip
