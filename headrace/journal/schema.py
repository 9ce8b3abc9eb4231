"""Tables of the file, and how its one writer creates them."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import Final

from headrace.errors import StorageCorrupt, StorageError
from headrace.sqlite import BUSY_TIMEOUT_MS, storage_errors

FORMAT_VERSION: Final = 1
FILE_NAME: Final = "journal.db"

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    offset INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,      -- microseconds since 1970 UTC
    device TEXT NOT NULL,
    stream TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    format TEXT NOT NULL,
    crc INTEGER NOT NULL,
    payload BLOB NOT NULL              -- as received
);
CREATE TABLE IF NOT EXISTS ranges (
    device TEXT NOT NULL, stream TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (device, stream, first)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS devices (
    device TEXT PRIMARY KEY, first_received_at INTEGER NOT NULL, last_received_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursors (
    consumer TEXT PRIMARY KEY, offset INTEGER NOT NULL, required INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consumer_state (
    consumer TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (consumer, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
    device TEXT NOT NULL, key BLOB NOT NULL, crc INTEGER NOT NULL,
    at INTEGER NOT NULL,               -- seconds that the gateway has run (gateway/journal/keys.py)
    PRIMARY KEY (device, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_at ON keys (at);
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    topic TEXT NOT NULL,
    device TEXT NOT NULL,
    format TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    payload BLOB NOT NULL
);
"""


def create(path: Path) -> sqlite3.Connection:
    """Open the journal for its one writer, creating file and tables where missing.

    Raises:
        StorageError: the file cannot be opened or is of another version.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"journal {path}: cannot make its folder: {error.strerror}",
            hint="set data_dir to a folder that this user may write",
        ) from error
    with storage_errors("journal", path):
        db = connect(f"file:{path}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(SCHEMA)
        db.execute(
            "INSERT OR IGNORE INTO meta VALUES ('version', ?), ('journal', ?)",
            (str(FORMAT_VERSION), secrets.token_hex(8)),
        )
    version = meta(db, "version")
    if version != str(FORMAT_VERSION):
        db.close()
        raise StorageCorrupt(f"journal {path}: expected version {FORMAT_VERSION}, got {version}")
    return db


def connect(uri: str) -> sqlite3.Connection:
    """A connection without transactions of its own, for any thread."""
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    # Debian's SQLite overwrites what is deleted with zeros, each page twice: as much again as all commits write,
    # and room that a full disk has not.
    db.execute("PRAGMA secure_delete = OFF")
    # A WAL that was grown by a burst is cut back to 64 MiB at the next checkpoint.
    db.execute("PRAGMA journal_size_limit = 67108864")
    return db


def meta(db: sqlite3.Connection, key: str) -> str:
    """A value of the meta table; empty when absent."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else ""
