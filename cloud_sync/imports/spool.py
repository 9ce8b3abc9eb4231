"""The spool: a journal of an import job's own, between its source and the lake.

It has the gateway journal's format, so that it lands like one: same lander, same manifests, a watermark
of its own. One transaction of it holds a chunk's batches, their sequence numbers, what was refused and
the marks where the source goes on. So a kill at any moment leaves either all of a chunk or nothing, and
behind the spool the lake's own guarantees begin.

The journal's id follows from site and job (``headrace/imported.py``). A spool that was lost would begin
again and land everything a second time; but its id is known, and where the lake has landings of it
already, the job refuses to start instead.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from cloud_sync.imports.batches import Batch, sound, to_batches
from cloud_sync.imports.port import Chunk
from headrace.clock import Clock
from headrace.errors import UsageError
from headrace.imported import journal_of, stream_of
from headrace.journal.rows import checksum
from headrace.journal.schema import create, meta
from headrace.sqlite import storage_errors

_MARKS: Final = "import.marks"
_TOTALS: Final = "import.totals"


class Totals(msgspec.Struct, frozen=True):
    """What a job has imported in all; times are microseconds since 1970 UTC, 0 before the first."""

    readings: int = 0
    batches: int = 0
    first_time: int = 0
    last_time: int = 0
    refused: dict[str, int] = {}
    imported_at: int = 0

    def with_rows(self, rows: pa.Table, batches: int, refused: Mapping[str, int], now: int) -> Totals:  # fmt: skip
        """The totals after a chunk."""
        first, last = self.first_time, self.last_time
        if rows.num_rows:
            ends = pc.min_max(rows.column("time").cast(pa.int64())).as_py()
            first = min(first or ends["min"], ends["min"])
            last = max(last, ends["max"])
        counts = dict(Counter(self.refused) + Counter(refused))
        return Totals(
            self.readings + rows.num_rows, self.batches + batches, first, last, counts, now
        )


@dataclass(frozen=True, slots=True)
class Appended:
    """What one chunk came to."""

    readings: int
    refused: Mapping[str, int]


class Spool:
    """A job's journal and its one writer."""

    def __init__(self, path: Path, *, site: str, job: str, clock: Clock) -> None:
        self.path = path
        self.is_new = not path.exists()
        self._job = job
        self._clock = clock
        self._db = create(path)
        with storage_errors("spool", path):
            self._check_site(site)
            names = [("site", site), ("journal", journal_of(site, job))]
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", names)

    def _check_site(self, site: str) -> None:
        """Offsets of one journal under the id of another would be a hole that nothing fills."""
        own = meta(self._db, "site")
        if own not in ("", site):
            self._db.close()
            raise UsageError(
                f"job {self._job!r} imports for site {own!r}, and the configuration says {site!r}",
                hint="give the job another name: it imports everything again, for the other site",
            )

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def marks(self) -> dict[str, bytes]:
        """Where the source goes on."""
        with storage_errors("spool", self.path):
            rows = self._db.execute(
                "SELECT key, value FROM consumer_state WHERE consumer = ?", (_MARKS,)
            ).fetchall()
        return {str(key): bytes(value) for key, value in rows}

    def totals(self) -> Totals:
        """What has been imported so far."""
        return read_totals(self._db)

    def append(self, chunk: Chunk) -> Appended:
        """A chunk and its marks, on disk together when this returns.

        Raises:
            StorageError: the file failed; nothing was changed.
        """
        rows, wrong = sound(chunk.rows)
        refused = dict(Counter(chunk.refused) + wrong)
        with self._transaction():
            count = 0
            for batch in to_batches(rows):
                self._add(batch)
                count += 1
            self._set_marks(chunk.marks)
            now = self._clock.now_us()
            totals = self.totals().with_rows(rows, count, refused, now)
            self._set_state(_TOTALS, "", msgspec.json.encode(totals))
        return Appended(rows.num_rows, refused)

    def waiting(self) -> int:
        """Readings in the file, landed or not."""
        with storage_errors("spool", self.path):
            row = self._db.execute("SELECT coalesce(sum(rows), 0) FROM batches").fetchone()
        return int(row[0])

    def prune(self) -> None:
        """Drop what every required consumer is past, as a gateway does."""
        with storage_errors("spool", self.path):
            self._db.execute(
                "DELETE FROM batches WHERE offset <= "
                "(SELECT coalesce(min(offset), 0) FROM cursors WHERE required)"
            )

    def _add(self, batch: Batch) -> None:
        stream = stream_of(self._job)
        row = self._db.execute(
            "SELECT last FROM ranges WHERE device = ? AND stream = ?", (batch.device, stream)
        ).fetchone()
        first = int(row[0]) + 1 if row else 1
        last = first + batch.rows - 1
        self._db.execute(
            "INSERT OR REPLACE INTO ranges VALUES (?, ?, 1, ?)", (batch.device, stream, last)
        )
        now = self._clock.now_us()
        self._db.execute(
            "INSERT INTO devices VALUES (?, ?, ?) ON CONFLICT (device) "
            "DO UPDATE SET last_received_at = excluded.last_received_at",
            (batch.device, now, now),
        )
        values: tuple[Any, ...] = (
            now, batch.device, stream, first, last, batch.rows, "arrow",
            checksum(batch.payload), batch.payload,
        )  # fmt: skip
        self._db.execute(
            "INSERT INTO batches (received_at, device, stream, first_seq, last_seq, rows, format, "
            "crc, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )

    def _set_marks(self, marks: Mapping[str, bytes | None]) -> None:
        for key, value in marks.items():
            if value is None:
                self._db.execute(
                    "DELETE FROM consumer_state WHERE consumer = ? AND key = ?", (_MARKS, key)
                )
            else:
                self._set_state(_MARKS, key, value)

    def _set_state(self, consumer: str, key: str, value: bytes) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO consumer_state VALUES (?, ?, ?)", (consumer, key, value)
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with storage_errors("spool", self.path):
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def read_totals(db: sqlite3.Connection) -> Totals:
    """The totals of an open spool."""
    row = db.execute("SELECT value FROM consumer_state WHERE consumer = ?", (_TOTALS,)).fetchone()
    return msgspec.json.decode(row[0], type=Totals) if row else Totals()


def look(path: Path) -> tuple[Totals, int, int]:
    """(totals, readings that wait, offset that landed) of a spool that may be at work."""
    with storage_errors("spool", path):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)
        try:
            landed = db.execute("SELECT offset FROM cursors WHERE consumer = 'lake'").fetchone()
            mark = int(landed[0]) if landed else 0
            (waiting,) = db.execute(
                "SELECT coalesce(sum(rows), 0) FROM batches WHERE offset > ?", (mark,)
            ).fetchone()
            return read_totals(db), int(waiting), mark
        finally:
            db.close()
