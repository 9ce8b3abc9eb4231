"""The buffer as a file: opening it, looking for damage, moving it aside, keeping others out."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from edge_agent.buffer import schema
from headrace.clock import Clock
from headrace.errors import StorageCorrupt, UsageError
from headrace.limits import BUFFER_CHECK_MAX_BYTES


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
    """A lock that lasts as long as this process and the returned descriptor.

    Raises:
        UsageError: another agent holds it.
    """
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
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
