"""The file, opened beside its writer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from headrace.errors import UsageError
from headrace.journal.schema import connect, meta
from headrace.sqlite import storage_errors


class JournalFile:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise UsageError(
                f"no journal at {path}", hint="start the gateway once, or name its data folder"
            )
        self.path = path
        with storage_errors("journal", path):
            self._db = connect(f"file:{path}?mode=rw")
            self._db.execute("PRAGMA synchronous = FULL")
        self.journal_id = meta(self._db, "journal")
        self.site = meta(self._db, "site")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside sees the journal as it was at the first read."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def head(self) -> int:
        """The last offset ever given out; 0 for an empty journal."""
        with storage_errors("journal", self.path):
            row = self._db.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"
            ).fetchone()
        return int(row[0]) if row else 0
