"""Codes and certificates, in ``data_dir/pki/enrol.db``.

SQLite, because the running gateway and its commands use it at the same time. Invariants:

- Who may connect is what stands here: a certificate that is not in the table is not let in, whoever
  signed it. So a stolen backup of the CA's key alone does not make a device.
- A code's secret is stored as its scrypt hash, under a salt of this site. The hash is the key of the
  row: a wrong code costs one look-up, and no comparison whose time could tell anything.
- A device is (name, key). Renewed certificates of one key live side by side until they end; another key
  under the same name needs the old ones revoked.
- Codes die when they are over; certificates are forgotten a year after they have ended.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from headrace.sqlite import BUSY_TIMEOUT_MS, storage_errors

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS codes (
    hash BLOB PRIMARY KEY, device TEXT NOT NULL, expires_at INTEGER NOT NULL,
    replace_key INTEGER NOT NULL, uses INTEGER NOT NULL DEFAULT 0, used_by BLOB
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS certificates (
    serial TEXT PRIMARY KEY, device TEXT NOT NULL, key BLOB NOT NULL,
    issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS certificates_device ON certificates (device);
"""

#: scrypt with 16 MiB: 40 ms here, 200 ms on a Pi, once per attempt.
_SCRYPT_N: Final = 2**14
_FORGET_AFTER_US: Final = 365 * 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A code that somebody may still use; ``used_by``: the key that has used it already."""

    hash: bytes
    device: str
    expires_at: int
    replace_key: bool
    uses: int
    used_by: bytes | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate; times in microseconds since 1970 UTC."""

    serial: int
    device: str
    key: bytes
    issued_at: int
    expires_at: int
    revoked_at: int | None


class Registry:
    """One connection, used by any thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        with storage_errors("enrolment registry", path):
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            self._db.execute(
                "INSERT OR IGNORE INTO meta VALUES ('salt', ?)", (secrets.token_bytes(16),)
            )
        path.chmod(0o600)
        (self._salt,) = self._rows("SELECT value FROM meta WHERE key = 'salt'")[0]

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def version(self) -> int:
        """Changes when another connection has written."""
        return int(self._rows("PRAGMA data_version")[0][0])

    def add_code(
        self, secret: bytes, device: str, *, now: int, expires_at: int, replace_key: bool
    ) -> None:
        """Keep a new code; older ones of the same device die with it."""
        with self._lock, self._transaction():
            self._do("DELETE FROM codes WHERE expires_at <= ? OR device = ?", now, device)
            self._do(
                "INSERT INTO codes (hash, device, expires_at, replace_key) VALUES (?, ?, ?, ?)",
                self._hash(secret), device, expires_at, int(replace_key),
            )  # fmt: skip

    def open_codes(self, now: int) -> int:
        return int(self._rows("SELECT count(*) FROM codes WHERE expires_at > ?", now)[0][0])

    def invites(self, device: str) -> bool:
        """Whether the device has a code, used or not."""
        return bool(self._rows("SELECT 1 FROM codes WHERE device = ?", device))

    def find_code(self, secret: bytes) -> OpenCode | None:
        """The code of that secret, also when it is over."""
        rows = self._rows(
            "SELECT hash, device, expires_at, replace_key, uses, used_by FROM codes WHERE hash = ?",
            self._hash(secret),
        )
        if not rows:
            return None
        found, device, expires_at, replace_key, uses, used_by = rows[0]
        return OpenCode(found, device, expires_at, bool(replace_key), uses, used_by)

    def count_use(self, code: OpenCode) -> None:
        with self._lock:
            self._do("UPDATE codes SET uses = uses + 1 WHERE hash = ?", code.hash)

    def add(self, entry: Entry, *, code: OpenCode | None = None, now: int) -> None:
        """Keep a certificate; with ``code``, that is used up, and other keys are revoked if it says so."""
        with self._lock, self._transaction():
            if code is not None:
                self._do("UPDATE codes SET used_by = ? WHERE hash = ?", entry.key, code.hash)
                if code.replace_key:
                    self._do(
                        "UPDATE certificates SET revoked_at = ? "
                        "WHERE device = ? AND key <> ? AND revoked_at IS NULL",
                        now, entry.device, entry.key,
                    )  # fmt: skip
            self._do("DELETE FROM certificates WHERE expires_at < ?", now - _FORGET_AFTER_US)
            self._do(
                "INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?)",
                f"{entry.serial:x}", entry.device, entry.key, entry.issued_at, entry.expires_at,
                entry.revoked_at,
            )  # fmt: skip

    def revoke(self, device: str, now: int) -> int:
        """Revoke everything that a device has, its open code too; returns how many certificates."""
        with self._lock, self._transaction():
            self._do("DELETE FROM codes WHERE device = ?", device)
            return self._do(
                "UPDATE certificates SET revoked_at = ? WHERE device = ? AND revoked_at IS NULL",
                now, device,
            )  # fmt: skip

    def entries(self) -> list[Entry]:
        """All certificates, by device and age."""
        return self._entries("ORDER BY device, issued_at")

    def entries_of(self, device: str) -> list[Entry]:
        return self._entries("WHERE device = ? ORDER BY issued_at", device)

    def entry(self, serial: int) -> Entry | None:
        found = self._entries("WHERE serial = ?", f"{serial:x}")
        return found[0] if found else None

    def _entries(self, rest: str, *values: Any) -> list[Entry]:
        columns = "serial, device, key, issued_at, expires_at, revoked_at"
        rows = self._rows(f"SELECT {columns} FROM certificates {rest}", *values)  # noqa: S608
        return [Entry(int(row[0], 16), *row[1:]) for row in rows]

    def _hash(self, secret: bytes) -> bytes:
        return hashlib.scrypt(secret, salt=self._salt, n=_SCRYPT_N, r=8, p=1, dklen=32)

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with self._lock, storage_errors("enrolment registry", self._path):
            return self._db.execute(statement, values).fetchall()

    def _do(self, statement: str, *values: Any) -> int:
        with storage_errors("enrolment registry", self._path):
            return self._db.execute(statement, values).rowcount

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db, self._path)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when the block raises."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path

    def __enter__(self) -> None:
        with storage_errors("enrolment registry", self._path):
            self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        with storage_errors("enrolment registry", self._path):
            self._db.execute("ROLLBACK" if kind else "COMMIT")
