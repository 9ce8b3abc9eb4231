"""Writes the commit log that stands beside the buffer file (format: ``headrace.buffer_log``).

A record is one ``pwrite`` with ``O_DIRECT | O_DSYNC``: what is written is the record's sectors and
nothing else, and it is on the card when the call returns. Through the page cache the least would be
a page of 4 KiB a commit (with the large folios of newer kernels up to the size of the file). Where
the file system knows no ``O_DIRECT`` (tmpfs, some overlays) the cache is used after all.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.buffer.files import storage_error, sync_folder
from headrace.buffer_log import SECTOR, Base, Record, Tail, frame, header
from headrace.errors import StorageError, StorageFull
from headrace.limits.agent import BUFFER_LOG_BYTES, BUFFER_LOG_COMMIT_BYTES

#: Sectors that disks are made of; larger ones are told by the first write.
_SECTORS: Final = (SECTOR, 4096)

#: Room for the largest record: payloads, which the log compresses at least as well, and its frame.
_MAX_RECORD_BYTES: Final = 4 * BUFFER_LOG_COMMIT_BYTES


def log_path(buffer: Path) -> Path:
    """Where the log of a buffer file is."""
    return buffer.with_name(buffer.name + "-log")


class CommitLog:
    """The open log. One thread at a time.

    Args:
        tail: where to go on; a new log starts at its first record.
    """

    def __init__(self, path: Path, tail: Tail) -> None:
        self.path = path
        self.lsn = tail.lsn
        self._at, self._base = tail.end, tail.base
        self._file, self._sector = _open(path)
        self._at = self._aligned(self._at)
        # Anonymous memory starts at a page, which O_DIRECT asks for.
        self._memory = mmap.mmap(-1, _MAX_RECORD_BYTES)

    def append(self, record: Record, *, before_seq: int, next_seq: int) -> bool:
        """Write a record; on disk when this returns True. False when there is no room for it.

        Raises:
            StorageError: the write failed; the record does not count.
        """
        raw, lsn = msgspec.msgpack.encode(record), self.lsn + 1
        framed = frame(raw, lsn=lsn, before_seq=before_seq, next_seq=next_seq, base=self._base)
        end = self._at + self._aligned(len(framed))
        if end > BUFFER_LOG_BYTES or len(framed) > _MAX_RECORD_BYTES:
            return False
        try:
            self._write(framed, end - self._at)
        except StorageError:
            # It may be there all the same. Its number is used up, so that a fold covers it: else it would be
            # read at the next start behind that, and numbers of readings be given twice.
            self.lsn = lsn
            raise
        self._base = self._base.after(lsn, raw)
        self._at, self.lsn = end, lsn
        return True

    def start_over(self) -> None:
        """Everything up to ``lsn`` is in the buffer file; overwrite it from now on."""
        self._at, self._base = self._sector, Base()

    def close(self) -> None:
        os.close(self._file)
        self._memory.close()

    def _write(self, framed: bytes, size: int) -> None:
        self._memory[: len(framed)] = framed
        self._memory[len(framed) : size] = bytes(size - len(framed))
        with memoryview(self._memory) as whole, whole[:size] as part:
            try:
                done = os.pwrite(self._file, part, self._at)
            except OSError as error:
                raise storage_error("buffer log", self.path, error) from error
        if done != size:
            raise StorageFull(f"buffer log {self.path}: wrote {done} of {size} bytes")

    def _aligned(self, size: int) -> int:
        return -(-size // self._sector) * self._sector


def create(path: Path, log_id: str) -> None:
    """Make an empty log of full size, so that a full disk cannot stop it; durable on return.

    Raises:
        StorageError: there is no room for it, or it may not be written there.
    """
    try:
        with path.open("wb") as file:
            file.write(header(log_id).ljust(BUFFER_LOG_BYTES, b"\0"))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error("buffer log", path, error) from error


def _open(path: Path) -> tuple[int, int]:
    """A descriptor and the sector that it wants: direct where that works."""
    for sector in _SECTORS:
        try:
            file = os.open(path, os.O_RDWR | os.O_DSYNC | os.O_DIRECT)
        except OSError:
            break
        if _accepts(file, sector):
            return file, sector
        os.close(file)
    return os.open(path, os.O_RDWR | os.O_DSYNC), SECTOR


def _accepts(file: int, sector: int) -> bool:
    with mmap.mmap(-1, sector) as memory:
        try:
            return os.preadv(file, [memory], 0) == sector
        except OSError:
            return False
