"""Batches in order of their offsets, past what is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from headrace import damage
from headrace.journal.file import JournalFile
from headrace.journal.rows import DAMAGED, JournalRow, checked, describe_damage, from_header
from headrace.sqlite import storage_errors


class Batches(JournalFile):
    """What consumers read."""

    def read(
        self, after: int, *, up_to: int | None = None, max_rows: int, max_bytes: int
    ) -> list[JournalRow]:
        """Batches with ``after < offset <= up_to`` in order, at least one if there is any.

        Stops before ``max_rows`` readings or ``max_bytes`` of payload are exceeded. What cannot be
        read stands there as a row with ``damage`` and without payload.
        """
        found: list[JournalRow] = []
        readings = size = 0
        last = 2**62 if up_to is None else up_to
        with storage_errors("journal", self.path):
            try:
                for columns in self._db.execute(
                    "SELECT offset, received_at, device, stream, first_seq, last_seq, rows, format, "
                    "payload, crc FROM batches WHERE offset > ? AND offset <= ? ORDER BY offset",
                    (after, last),
                ):
                    row = checked(columns)
                    readings += row.rows
                    size += len(row.payload)
                    if found and (readings > max_rows or size > max_bytes):
                        break
                    found.append(row)
            except sqlite3.Error as error:
                if not damage.is_damage(error):
                    raise
                if not found:
                    found.append(self._damaged(after, min(last, self.head()), error))
        return found

    def identities(
        self, after: int, *, up_to: int = 2**62, max_batches: int
    ) -> list[tuple[int, str, str, int, int]]:
        """(offset, device, stream, first seq, last seq) of batches behind an offset, without payloads.

        What stood on a page that cannot be read is one row without a device, as with ``read``.
        """
        found: list[tuple[int, str, str, int, int]] = []
        with storage_errors("journal", self.path):
            try:
                for row in self._db.execute(
                    "SELECT offset, device, stream, first_seq, last_seq FROM batches "
                    "WHERE offset > ? AND offset <= ? ORDER BY offset LIMIT ?",
                    (after, up_to, max_batches),
                ):
                    found.append(row)
            except sqlite3.Error as error:
                if not damage.is_damage(error):
                    raise
                if not found:
                    row = self._damaged(after, min(up_to, self.head()), error)
                    found.append((row.offset, row.device, row.stream, row.first_seq, row.last_seq))
        return found

    def received_after(self, offset: int) -> int | None:
        """When the first batch behind an offset arrived; None when there is none."""
        query = "SELECT received_at FROM batches WHERE offset > ? ORDER BY offset LIMIT 1"
        with storage_errors("journal", self.path):
            try:
                row = self._db.execute(query, (offset,)).fetchone()
            except sqlite3.Error as error:
                if not damage.is_damage(error):
                    raise
                behind = damage.next_readable(self._db, offset, self.head())
                row = self._db.execute(query, (behind,)).fetchone()
        return None if row is None else int(row[0])

    def remember_damage(self, rows: Sequence[JournalRow]) -> list[JournalRow]:
        """Put damaged rows into quarantine, each once; returns those that were not there yet."""
        new = []
        with storage_errors("journal", self.path):
            for row in (row for row in rows if row.damage):
                topic = f"journal:{row.offset}"
                # One statement, because several readers may come to it at once.
                done = self._db.execute(
                    "INSERT INTO quarantine "
                    "(received_at, topic, device, format, reason, detail, payload) "
                    "SELECT ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS "
                    "(SELECT 1 FROM quarantine WHERE topic = ? AND reason = ?)",
                    (row.received_at, topic, row.device, row.format, DAMAGED,
                     describe_damage(row), self._what_is_left(row.offset), topic, DAMAGED),
                )  # fmt: skip
                if done.rowcount:
                    new.append(row)
        return new

    def _damaged(self, after: int, last: int, error: sqlite3.Error) -> JournalRow:
        header = damage.find(self._db, after, last)
        if header.columns is None:
            what = f"offsets {header.first}-{header.offset} cannot be read: {error}"
            at = self.received_after(header.offset) or 0
            return JournalRow(header.offset, at, "", "", 0, 0, 0, "", b"", what)
        return from_header(header.columns, b"", f"the payload cannot be read: {error}")

    def _what_is_left(self, offset: int) -> bytes:
        """A damaged payload, for whoever wants to save something of it."""
        try:
            row = self._db.execute(
                "SELECT payload FROM batches WHERE offset = ?", (offset,)
            ).fetchone()
        except sqlite3.Error as error:
            if not damage.is_damage(error):
                raise
            return b""
        return bytes(row[0]) if row is not None and isinstance(row[0], bytes) else b""
