"""What is in the file: devices, ranges, counts, faults."""

from __future__ import annotations

import sqlite3

from headrace import damage
from headrace.journal.file import JournalFile
from headrace.sqlite import storage_errors


class Contents(JournalFile):
    """For whoever looks at the journal from outside."""

    def devices(self) -> list[tuple[str, int, int]]:
        """(device, first received, last received) in microseconds since 1970 UTC."""
        with storage_errors("journal", self.path):
            return self._db.execute("SELECT * FROM devices ORDER BY device").fetchall()

    def ranges(self) -> list[tuple[str, str, int, int]]:
        """(device, stream, first, last) of all that has been seen."""
        with storage_errors("journal", self.path):
            return self._db.execute(
                "SELECT device, stream, first, last FROM ranges ORDER BY device, stream, first"
            ).fetchall()

    def own_streams(self) -> frozenset[str]:
        """Streams whose numbers the gateway gives: no device knows them."""
        with storage_errors("journal", self.path):
            rows = self._db.execute("SELECT value FROM meta WHERE key LIKE '%_stream'").fetchall()
        return frozenset(str(value) for (value,) in rows)

    def quarantine_reasons(self) -> dict[str, int]:
        """How many payloads are in quarantine, by reason."""
        with storage_errors("journal", self.path):
            rows = self._db.execute(
                "SELECT reason, count(*) FROM quarantine GROUP BY reason ORDER BY reason"
            ).fetchall()
        return {str(reason): int(count) for reason, count in rows}

    def integrity(self) -> list[str]:
        """What SQLite itself finds wrong with the file, a hundred faults at most; takes a while."""
        with storage_errors("journal", self.path):
            try:
                rows = self._db.execute("PRAGMA integrity_check(100)").fetchall()
            except sqlite3.Error as error:
                if not damage.is_damage(error):
                    raise
                return [str(error)]
        return [line for (text,) in rows for line in str(text).splitlines() if line != "ok"]

    def counts(self) -> dict[str, int]:
        """Batches, readings and payload bytes in the file, and payloads in quarantine."""
        with storage_errors("journal", self.path):
            batches, readings, size = self._db.execute(
                "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(length(payload)), 0) FROM batches"
            ).fetchone()
            (quarantined,) = self._db.execute("SELECT count(*) FROM quarantine").fetchone()
        return {
            "batches": batches,
            "readings": readings,
            "payload_bytes": size,
            "quarantined": quarantined,
        }
