"""Counts of an agent's buffer file, read with plain sqlite3 while the agent runs.

The tables are described in ``edge_agent/buffer/schema.py``; this reader is here because the demo and
the tests need the counts without importing the agent.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from headrace.errors import UsageError
from headrace.journal import storage_errors

_DROPPED = "dropped:"


@dataclass(frozen=True, slots=True)
class BufferStats:
    """Readings of one device: sampled = acknowledged + buffered + sum(dropped.values())."""

    device: str
    stream: str
    sampled: int = 0
    acknowledged: int = 0
    buffered: int = 0
    batches: int = 0
    payload_bytes: int = 0
    oldest_sealed_at: int | None = None
    dropped: dict[str, int] = field(default_factory=dict)


def read_buffer_stats(path: Path) -> BufferStats:
    """The counts of a buffer file, all from one moment.

    Raises:
        UsageError: there is no such file.
        StorageError: it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"no buffer at {path}", hint="name the agent's buffer.path")
    with storage_errors("buffer", path), closing(_connect(path)) as db:
        db.execute("BEGIN")
        meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
        counters = dict(db.execute("SELECT name, value FROM counters").fetchall())
        batches, rows, size, oldest = db.execute(
            "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(length(payload)), 0), "
            "min(sealed_at) FROM batches"
        ).fetchone()
    return BufferStats(
        device=meta["device"],
        stream=meta["stream"],
        sampled=counters.get("sampled", 0),
        acknowledged=counters.get("acknowledged", 0),
        buffered=rows,
        batches=batches,
        payload_bytes=size,
        oldest_sealed_at=oldest,
        dropped={
            name.removeprefix(_DROPPED): value
            for name, value in sorted(counters.items())
            if name.startswith(_DROPPED)
        },
    )


def _connect(path: Path) -> sqlite3.Connection:
    # mode=rw, not ro: a reader of a WAL database may have to create the shared-memory file.
    db = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)
    db.execute("PRAGMA busy_timeout = 10000")
    return db
