"""How far each consumer is, and what it has stored."""

from __future__ import annotations

from typing import Final

from headrace.journal.file import JournalFile
from headrace.sqlite import storage_errors

#: cloud-sync's cursors: what has landed, and what of it is registered in the table.
LAKE: Final = "lake"
REGISTERED: Final = "registered"
#: The gateway's, where acks wait for the lake: what devices were told.
ACKS: Final = "acks"


class Cursors(JournalFile):
    """Consumers and their state."""

    def cursor(self, consumer: str) -> int:
        """The last offset that a consumer is done with; 0 before its first."""
        with storage_errors("journal", self.path):
            row = self._db.execute(
                "SELECT offset FROM cursors WHERE consumer = ?", (consumer,)
            ).fetchone()
        return int(row[0]) if row else 0

    def cursors(self) -> list[tuple[str, int, bool]]:
        """(consumer, offset, required)."""
        with storage_errors("journal", self.path):
            rows = self._db.execute("SELECT consumer, offset, required FROM cursors").fetchall()
        return [(str(name), int(offset), bool(required)) for name, offset, required in rows]

    def move_cursor(self, consumer: str, offset: int, *, required: bool) -> None:
        """Say that a consumer is done up to ``offset``; durable when this returns."""
        with storage_errors("journal", self.path):
            self._db.execute(
                "INSERT INTO cursors VALUES (?, ?, ?) ON CONFLICT (consumer) DO UPDATE "
                "SET offset = max(offset, excluded.offset), required = excluded.required",
                (consumer, offset, int(required)),
            )

    def rename(self, journal: str) -> None:
        """Take another id: from here on it is another journal for the lake."""
        with storage_errors("journal", self.path):
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'journal'", (journal,))
        self.journal_id = journal

    def forget(self, consumer: str) -> None:
        """Drop a consumer's cursor and state: it holds nothing any more, and starts anew if it comes."""
        with storage_errors("journal", self.path):
            for table in ("cursors", "consumer_state"):
                self._db.execute(f"DELETE FROM {table} WHERE consumer = ?", (consumer,))  # noqa: S608

    def state(self, consumer: str) -> dict[str, bytes]:
        """What a consumer has stored."""
        with storage_errors("journal", self.path):
            rows = self._db.execute(
                "SELECT key, value FROM consumer_state WHERE consumer = ?", (consumer,)
            ).fetchall()
        return {str(key): bytes(value) for key, value in rows}

    def set_state(self, consumer: str, key: str, value: bytes | None) -> None:
        """Store or delete (None) one value of a consumer; durable when this returns."""
        with storage_errors("journal", self.path):
            if value is None:
                self._db.execute(
                    "DELETE FROM consumer_state WHERE consumer = ? AND key = ?", (consumer, key)
                )
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO consumer_state VALUES (?, ?, ?)", (consumer, key, value)
                )
