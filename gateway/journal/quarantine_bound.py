"""Keeps the quarantine within its bounds: the oldest payloads make room, counted.

A device that sends nothing but broken payloads fills it at the speed of the line, so as much goes as comes, and
what is in it is counted and not summed up at each look. The count may be too high (commands beside the gateway
delete rows, too): before anything goes it is measured. What disks have damaged stays, because the journal's rows
that must not be deleted are known by it.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from headrace.journal import DAMAGED
from headrace.limits.ingest import (
    QUARANTINE_KEEP_SHARE,
    QUARANTINE_MAX_BYTES,
    QUARANTINE_MAX_ROWS,
)

_SIZE: Final = "length(topic) + length(detail) + length(payload)"
#: Running sums from the newest row on: what lies beyond the bounds is the oldest.
_BEYOND: Final = f"""
SELECT max(id) FROM (
    SELECT id, row_number() OVER newest AS place, sum({_SIZE}) OVER newest AS size
    FROM quarantine WHERE reason <> ? WINDOW newest AS (ORDER BY id DESC)
) WHERE place > ? OR size > ?
"""  # noqa: S608


class QuarantineBound:
    """What is in the quarantine of one journal; used by its one writer."""

    def __init__(self) -> None:
        self._rows = self._bytes = 0
        self._is_measured = False

    def added(self, rows: int, size: int) -> None:
        """So much has been committed."""
        self._rows += rows
        self._bytes += size

    def trim(self, db: sqlite3.Connection) -> int:
        """Delete what is beyond the bounds, and a little more so that this is seldom; how many payloads."""
        if not self._is_measured:
            self._measure(db)
        if not self._is_over():
            return 0
        self._measure(db)
        return self._delete_oldest(db) if self._is_over() else 0

    def _is_over(self) -> bool:
        return self._rows > QUARANTINE_MAX_ROWS or self._bytes > QUARANTINE_MAX_BYTES

    def _measure(self, db: sqlite3.Connection) -> None:
        (self._rows, self._bytes) = db.execute(
            f"SELECT count(*), coalesce(sum({_SIZE}), 0) FROM quarantine WHERE reason <> ?",  # noqa: S608
            (DAMAGED,),
        ).fetchone()
        self._is_measured = True

    def _delete_oldest(self, db: sqlite3.Connection) -> int:
        kept = (
            int(QUARANTINE_MAX_ROWS * QUARANTINE_KEEP_SHARE),
            int(QUARANTINE_MAX_BYTES * QUARANTINE_KEEP_SHARE),
        )
        (last,) = db.execute(_BEYOND, (DAMAGED, *kept)).fetchone()
        done = db.execute("DELETE FROM quarantine WHERE id <= ? AND reason <> ?", (last, DAMAGED))
        self._measure(db)
        return done.rowcount
