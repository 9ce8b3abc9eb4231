"""The folder: names, what is in it, and whose it is.

::

    FOLDER/readings-20261123T074711Z-000000000042.ndjson     whole files; yours to move and remove
    FOLDER/.headrace/part, state.json, lock                  the sink's own

A name says when the gateway got the file's first batch, and that batch's place in the journal; so names
sort by time, and each batch being in one file only, no two files have the same.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.feed import Entry
from headrace.errors import SinkUnavailable
from headrace.models import files

_PREFIX: Final = "readings-"
_OWN: Final = ".headrace"


class Folder:
    """Paths below one folder; taken by one sink at a time.

    Raises:
        SinkUnavailable: another sink writes there.
        OSError: the folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = path / _OWN
        self._own.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._own / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise SinkUnavailable(
                f"{path}: another sink writes there", hint="give each file sink its own folder"
            ) from error

    @property
    def part(self) -> Path:
        return self._own / "part"

    @property
    def converted(self) -> Path:
        return self._own / "converted"

    @property
    def state(self) -> Path:
        return self._own / "state.json"

    def close(self) -> None:
        os.close(self._lock)

    def append(self, data: bytes, length: int) -> None:
        """Put bytes behind the first ``length`` of the part; on disk when this returns."""
        is_new = not self.part.exists()
        with os.fdopen(os.open(self.part, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as part:
            part.truncate(length)
            part.seek(length)
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
        if is_new:
            files.sync(self._own)

    def cut(self, length: int) -> None:
        """Leave the first ``length`` bytes of the part."""
        os.truncate(self.part, length)
        files.sync(self.part)

    def sync(self) -> None:
        """Put the names of both folders on disk."""
        files.sync(self._own)
        files.sync(self.path)

    def whole_files(self) -> list[tuple[Path, int]]:
        """Our files with their sizes, oldest first."""
        found = sorted(path for path in self.path.iterdir() if path.name.startswith(_PREFIX))
        return [(path, size) for path in found for size in _size(path)]


def file_name(first: Entry, suffix: str) -> str:
    """The name of the file that begins with a batch."""
    received = datetime.fromtimestamp(first.received_at // 1_000_000, UTC)
    return f"{_PREFIX}{received:%Y%m%dT%H%M%SZ}-{first.offset:012d}{suffix}"


def _size(path: Path) -> Iterator[int]:
    """None where somebody has taken it away meanwhile."""
    try:
        yield path.stat().st_size
    except FileNotFoundError:
        return
