"""The gateway journal's file format, and how other programs read it.

One SQLite database in WAL mode. The gateway is its only writer (``gateway/journal.py``); cloud_sync
moves its own cursor; everybody else opens it read-only. Invariants:

- ``offset`` counts up and is never used twice, also after rows were pruned (AUTOINCREMENT).
- A row's payload holds exactly the readings ``first_seq..last_seq`` of (device, stream).
- A row, the range set that remembers it, and the results of consumers that go with it are written in
  one transaction: dedup survives everything that the rows survive.
- ``ranges`` outlive the rows: pruning never forgets what has been seen.
- A consumer's cursor is the last offset that it is done with; required ones hold rows in the file.
- ``meta.journal`` is a random id made with the file. Offsets mean nothing without it: the lake keeps
  its watermark per (site, journal), so a journal that was replaced cannot be mistaken for the old one.

SQLite's own page checksums do not exist, so each row carries the CRC-32 of its payload, checked
whenever a payload is read from the file. What does not hold is passed over, in its place and with a
name (``headrace/damage.py``), and remembered in the quarantine as ``damaged``.
"""

from __future__ import annotations

import secrets
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from headrace import damage
from headrace.errors import StorageCorrupt, StorageError, StorageFull, UsageError

FORMAT_VERSION: Final = 1
FILE_NAME: Final = "journal.db"

#: The quarantine's reason of what was damaged in the journal itself.
DAMAGED: Final = "damaged"

#: Milliseconds that a connection waits for another's lock; commits take milliseconds.
BUSY_TIMEOUT_MS: Final = 10_000

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
    at INTEGER NOT NULL,               -- seconds that the gateway has run (gateway/keys.py)
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


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One batch of the journal; ``payload`` as received, in ``format``.

    Where ``damage`` says what is wrong there is no payload, and the row stands for all offsets since
    the row before. ``device`` is empty where not even that can be read.
    """

    offset: int
    received_at: int
    device: str
    stream: str
    first_seq: int
    last_seq: int
    rows: int
    format: str
    payload: bytes
    damage: str = ""


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
    return StorageError(message)


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
        db = _connect(f"file:{path}", path)
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


def _connect(uri: str, path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    # A WAL that was grown by a burst is cut back to 64 MiB at the next checkpoint.
    db.execute("PRAGMA journal_size_limit = 67108864")
    del path
    return db


def meta(db: sqlite3.Connection, key: str) -> str:
    """A value of the meta table; empty when absent."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else ""


def checksum(payload: bytes) -> int:
    """CRC-32 of a payload."""
    return zlib.crc32(payload)


def describe_damage(row: JournalRow) -> str:
    """What is damaged and what is lost with it, as a sentence."""
    if not row.device:
        return row.damage
    return (
        f"{row.damage}; lost: {row.device} stream {row.stream} seq {row.first_seq}-{row.last_seq}"
    )


def _row(header: Sequence[Any], payload: bytes, damaged: str = "") -> JournalRow:
    offset, received_at, device, stream, first_seq, last_seq, rows, format_name = header
    return JournalRow(
        offset,
        received_at,
        device,
        stream,
        first_seq,
        last_seq,
        rows,
        format_name,
        payload,
        damaged,
    )


def _checked(row: tuple[Any, ...]) -> JournalRow:
    *header, payload, crc = row
    if not damage.is_sound(tuple(header)):
        what = f"the row at offset {row[0]} is not what a gateway writes"
        return JournalRow(int(row[0]), 0, "", "", 0, 0, 0, "", b"", what)
    if not isinstance(payload, bytes) or checksum(payload) != crc:
        return _row(header, b"", "the payload does not match its checksum")
    return _row(header, payload)


class JournalReader:
    """Reads batches, cursors and counts; one connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise UsageError(
                f"no journal at {path}", hint="start the gateway once, or name its data folder"
            )
        self.path = path
        with storage_errors("journal", path):
            self._db = _connect(f"file:{path}?mode=rw", path)
            self._db.execute("PRAGMA synchronous = FULL")
        self.journal_id = meta(self._db, "journal")
        self.site = meta(self._db, "site")

    def __enter__(self) -> JournalReader:
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

    def cursor(self, consumer: str) -> int:
        """The last offset that a consumer is done with; 0 before its first."""
        with storage_errors("journal", self.path):
            row = self._db.execute(
                "SELECT offset FROM cursors WHERE consumer = ?", (consumer,)
            ).fetchone()
        return int(row[0]) if row else 0

    def move_cursor(self, consumer: str, offset: int, *, required: bool) -> None:
        """Say that a consumer is done up to ``offset``; durable when this returns."""
        with storage_errors("journal", self.path):
            self._db.execute(
                "INSERT INTO cursors VALUES (?, ?, ?) ON CONFLICT (consumer) DO UPDATE "
                "SET offset = max(offset, excluded.offset), required = excluded.required",
                (consumer, offset, int(required)),
            )

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
                for row in self._db.execute(
                    "SELECT offset, received_at, device, stream, first_seq, last_seq, rows, format, "
                    "payload, crc FROM batches WHERE offset > ? AND offset <= ? ORDER BY offset",
                    (after, last),
                ):
                    checked = _checked(row)
                    readings += checked.rows
                    size += len(checked.payload)
                    if found and (readings > max_rows or size > max_bytes):
                        break
                    found.append(checked)
            except sqlite3.Error as error:
                if not damage.is_damage(error):
                    raise
                if not found:
                    found.append(self._damaged(after, min(last, self.head()), error))
        return found

    def identities(
        self, after: int, *, up_to: int = 2**62, max_batches: int
    ) -> list[tuple[int, str, str, int, int]]:
        """(offset, device, stream, first seq, last seq) of batches behind an offset, without payloads."""
        with storage_errors("journal", self.path):
            return self._db.execute(
                "SELECT offset, device, stream, first_seq, last_seq FROM batches "
                "WHERE offset > ? AND offset <= ? ORDER BY offset LIMIT ?",
                (after, up_to, max_batches),
            ).fetchall()

    def own_streams(self) -> frozenset[str]:
        """Streams whose numbers the gateway gives: no device knows them."""
        with storage_errors("journal", self.path):
            rows = self._db.execute("SELECT value FROM meta WHERE key LIKE '%_stream'").fetchall()
        return frozenset(str(value) for (value,) in rows)

    def _damaged(self, after: int, last: int, error: sqlite3.Error) -> JournalRow:
        header = damage.find(self._db, after, last)
        if header.columns is None:
            what = f"offsets {header.first}-{header.offset} cannot be read: {error}"
            at = self.received_after(header.offset) or 0
            return JournalRow(header.offset, at, "", "", 0, 0, 0, "", b"", what)
        return _row(header.columns, b"", f"the payload cannot be read: {error}")

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

    def devices(self) -> list[tuple[str, int, int]]:
        """(device, first received, last received) in microseconds since 1970 UTC."""
        with storage_errors("journal", self.path):
            return self._db.execute("SELECT * FROM devices ORDER BY device").fetchall()

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

    def ranges(self) -> list[tuple[str, str, int, int]]:
        """(device, stream, first, last) of all that has been seen."""
        with storage_errors("journal", self.path):
            return self._db.execute(
                "SELECT device, stream, first, last FROM ranges ORDER BY device, stream, first"
            ).fetchall()

    def cursors(self) -> list[tuple[str, int, bool]]:
        """(consumer, offset, required)."""
        with storage_errors("journal", self.path):
            rows = self._db.execute("SELECT consumer, offset, required FROM cursors").fetchall()
        return [(str(name), int(offset), bool(required)) for name, offset, required in rows]

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
