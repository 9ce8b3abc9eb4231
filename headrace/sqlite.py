"""What sqlite3 raises, as our errors: for every part that keeps something in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from headrace.errors import StorageCorrupt, StorageError, StorageFull

#: Milliseconds that a connection waits for another's lock; commits take milliseconds.
BUSY_TIMEOUT_MS: Final = 10_000


@contextmanager
def storage_errors(what: str, path: Path) -> Iterator[None]:
    """Turn sqlite3's errors into ours: full, corrupt, or failed for now."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, what, path) from error


def translate(error: sqlite3.Error, what: str, path: Path) -> StorageError:
    """The StorageError that a sqlite3 error stands for."""
    code = getattr(error, "sqlite_errorname", "") or ""
    message = f"{what} {path}: {error}"
    if code.startswith("SQLITE_FULL") or "disk is full" in str(error):
        return StorageFull(message, hint="free space on that disk or lower the budget")
    if code in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return StorageCorrupt(message, hint="move the file away and keep it; a new one is made")
    if code.startswith("SQLITE_CANTOPEN"):
        return StorageError(message, hint="may this user read and write it, and its folder?")
    return StorageError(message)
