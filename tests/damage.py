"""Damage as flash memory does it: bytes and whole pages of a journal file that are not what was written."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

PAGE = 4096


def settle(path: Path) -> None:
    """Bring all that is in the WAL into the file, so that the file is what is read."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def flip(path: Path, place: int) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    data[place] ^= 0x5A
    path.write_bytes(data)


def ruin_page(path: Path, place: int, *, seed: int = 1) -> None:
    """Fill the page that holds a place with something else."""
    data = bytearray(path.read_bytes())
    first = place // PAGE * PAGE
    data[first : first + PAGE] = random.Random(seed).randbytes(PAGE)
    path.write_bytes(data)


def place_of(path: Path, offset: int, *, at: int = 20) -> int:
    """Where byte ``at`` of a row's payload stands in the file (within its first page)."""
    db = sqlite3.connect(path)
    (payload,) = db.execute("SELECT payload FROM batches WHERE offset = ?", (offset,)).fetchone()
    db.close()
    found = path.read_bytes().find(bytes(payload[at : at + 400]))
    assert found > 0
    return found
