"""The buffer as a file: opening it, looking for damage, moving it aside, keeping others out."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from pathlib import Path

from edge_agent.buffer import schema
from headrace.clock import Clock
from headrace.errors import StorageCorrupt, StorageError, StorageFull, UsageError
from headrace.limits.agent import BUFFER_CHECK_MAX_BYTES


def set_aside(path: Path, clock: Clock) -> Path:
    """Move a damaged buffer with its WAL and log out of the way; returns the new name."""
    aside = path.with_name(f"{path.name}.corrupt-{clock.now_us()}")
    for suffix in ("", "-wal", "-shm", "-log"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the buffer's settings."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for pragma in schema.PRAGMAS:
            db.execute(pragma)
    except sqlite3.Error:
        db.close()
        raise
    return db


def check(db: sqlite3.Connection, path: Path) -> None:
    """Look for damage: the whole file when it is small, its tables' roots always."""
    if path.stat().st_size <= BUFFER_CHECK_MAX_BYTES:
        (answer,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise StorageCorrupt(f"buffer {path}: {answer}")


def take_lock(path: Path) -> int:
    """A lock that lasts as long as this process and the returned descriptor; makes the folder too.

    Raises:
        UsageError: another agent holds it.
        StorageError: nothing can be written there.
    """
    name = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise storage_error("buffer", path, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise UsageError(
            f"buffer {path} is used by another agent", hint="stop it, or set another buffer.path"
        ) from error
    return lock


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(what: str, path: Path, error: OSError) -> StorageError:
    """What a failed write means, and what to do about it."""
    message = f"{what} {path}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(message, hint="free space on that disk, or set another buffer.path")
    if error.errno == errno.EROFS:
        # The kernel does this to a card that fails, and raspi-config to one that shall not change.
        return StorageError(
            message,
            hint="look into dmesg why, then: mount -o remount,rw; or set another buffer.path",
        )
    return StorageError(message, hint="may the agent write there? set another buffer.path")
