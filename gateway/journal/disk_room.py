"""What of its disk the journal may take: all but a reserve, without which it could never become smaller.

To forget takes room. Rows that have landed are deleted through SQLite's write-ahead log, and so are the cursors
moved that say what has landed, cloud-sync's among them. A journal that filled its disk to the last byte stood
still for ever, and all behind it, although everything had long been in the lake's reach. So batches are taken
only while the reserve is free; cursors, results and deletions may use it.

SQLite gives no page back to the disk, it uses free ones again: they count as room. What stands in the
write-ahead log alone will want its place in the file at the next checkpoint: that counts as taken.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from headrace.errors import StorageFull
from headrace.limits.ingest import JOURNAL_DISK_RESERVE_BYTES, JOURNAL_DISK_RESERVE_SHARE


class DiskRoom:
    """Of the disk that a journal lies on; used by its one writer."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def check(self, db: sqlite3.Connection, size: int) -> None:
        """Whether batches of so many bytes may be written.

        Raises:
            StorageFull: they would take what is kept free.
        """
        disk = os.statvfs(self._journal.parent)
        total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
        reserve = min(JOURNAL_DISK_RESERVE_BYTES, int(total * JOURNAL_DISK_RESERVE_SHARE))
        if size > max(0, free - reserve - self._owed(db)) + _unused(db):
            raise StorageFull(
                f"the disk of {self._journal} is full but for {reserve} bytes, which are kept free "
                "so that something can be pruned",
                hint="free space on it; see with `gateway journal stat` who is behind",
            )

    def _owed(self, db: sqlite3.Connection) -> int:
        """Bytes of pages that the file has no place for yet."""
        logical = _pragma(db, "page_count") * _pragma(db, "page_size")
        return max(0, logical - self._journal.stat().st_size)


def _unused(db: sqlite3.Connection) -> int:
    return _pragma(db, "freelist_count") * _pragma(db, "page_size")


def _pragma(db: sqlite3.Connection, name: str) -> int:
    (value,) = db.execute(f"PRAGMA {name}").fetchone()
    return int(value)
