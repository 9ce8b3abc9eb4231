"""Counts of an agent's buffer, read while the agent runs: its SQLite tables and its commit log.

Both are described in ``edge_agent/buffer/schema.py`` and ``headrace/buffer_log.py``; this reader is
here because the demo and the tests need the counts without importing the agent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from headrace.buffer_log import Tail, from_counters, read_tail
from headrace.errors import StorageError, UsageError
from headrace.sqlite import storage_errors

#: A day, for rates.
_DAY_S: Final = 86_400

#: The agent empties its log into the tables every few minutes at most; looks until both fit together.
_LOOKS: Final = 10


@dataclass(frozen=True, slots=True)
class BufferStats:
    """Readings of one device: sampled = acknowledged + buffered + sum(dropped.values()).

    ``written_bytes`` is what the kernel says that the agent's process wrote to disk in ``written_s``
    seconds of running, for ``written_readings`` readings.
    """

    device: str
    stream: str
    sampled: int = 0
    acknowledged: int = 0
    buffered: int = 0
    batches: int = 0
    payload_bytes: int = 0
    oldest_sealed_at: int | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    written_bytes: int = 0
    written_s: float = 0.0
    written_readings: int = 0

    @property
    def written_bytes_per_day(self) -> int | None:
        """On average while the agent ran; None before it has run for a second."""
        return round(self.written_bytes / self.written_s * _DAY_S) if self.written_s >= 1 else None

    @property
    def written_bytes_per_reading(self) -> float | None:
        if not self.written_readings:
            return None
        return round(self.written_bytes / self.written_readings, 1)


def read_buffer_stats(path: Path) -> BufferStats:
    """The counts of a buffer, all from one moment.

    Raises:
        UsageError: there is no such file.
        StorageError: it cannot be read.
    """
    with opened(path) as (db, tail):
        meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
        batches, rows, size, oldest = db.execute(
            "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(length(payload)), 0), "
            "min(sealed_at) FROM batches"
        ).fetchone()
    logged = tail.batches.values()
    rows += sum(batch.rows for batch in logged)
    totals = tail.totals
    return BufferStats(
        device=meta["device"],
        stream=meta["stream"],
        sampled=totals.sampled,
        acknowledged=totals.sampled - sum(totals.dropped.values()) - rows,
        buffered=rows,
        batches=batches + len(logged),
        payload_bytes=size + sum(len(batch.stream) for batch in logged),
        oldest_sealed_at=min((batch.sealed_at for batch in logged), default=None)
        if oldest is None
        else oldest,
        dropped=dict(sorted(totals.dropped.items())),
        written_bytes=totals.written_bytes,
        written_s=totals.written_s,
        written_readings=totals.written_readings,
    )


@contextmanager
def opened(path: Path) -> Iterator[tuple[sqlite3.Connection, Tail]]:
    """A buffer file inside a read transaction, and what its log adds to that state of it.

    Raises:
        UsageError: there is no such file.
        StorageError: it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"no buffer at {path}", hint="name the agent's buffer.path")
    with storage_errors("buffer", path), closing(_connect(path)) as db:
        for _ in range(_LOOKS):
            db.execute("BEGIN")
            lsn, tail = _tail(db, path)
            db.execute("COMMIT")
            db.execute("BEGIN")
            # Emptied meanwhile, the log begins anew and does not fit these tables.
            if _lsn(db) == lsn:
                yield db, tail
                return
            db.execute("COMMIT")
    raise StorageError(f"buffer {path}: it changes faster than it can be read; try again")


def _lsn(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT value FROM meta WHERE key = 'lsn'").fetchone()
    return int(row[0]) if row else 0


def _tail(db: sqlite3.Connection, path: Path) -> tuple[int, Tail]:
    meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
    counters = dict(db.execute("SELECT name, value FROM counters").fetchall())
    totals = from_counters(counters)
    lsn, next_seq = int(meta.get("lsn", 0)), int(meta.get("next_seq", 1))
    if "log" not in meta:  # version 1 has none
        return lsn, Tail(lsn, next_seq, totals)
    log = path.with_name(path.name + "-log")
    return lsn, read_tail(log, meta["log"], lsn=lsn, next_seq=next_seq, totals=totals)


def _connect(path: Path) -> sqlite3.Connection:
    # mode=rw, not ro: a reader of a WAL database may have to create the shared-memory file.
    db = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)
    db.execute("PRAGMA busy_timeout = 10000")
    return db
