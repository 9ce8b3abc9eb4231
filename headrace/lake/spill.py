"""Where DuckDB puts what does not fit into memory: a folder for each engine, which goes with it, however it ends.

::

    <lake>/.spill-<uid>/<engine>/                   where the lake is a folder that this user may write to
    <temporary>/headrace-spill-<uid>/<engine>/      elsewhere

The lake's disk has room; a temporary folder may be memory (tmpfs), which is what there is too little of then.

An engine holds a lock on its folder. The system lets go of it when the process ends, and be it by SIGKILL: so a folder that
nobody holds is what a killed process has left, and the next engine to begin removes it. Of the disk no more than a part of
what is free is taken, since a journal may need the rest.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from headrace.errors import StorageError
from headrace.lake.config import Lake
from headrace.limits.process import SPILL_SHARE, SPILL_TRIES


class Spill:
    """A folder of one engine."""

    def __init__(self, lake: Lake) -> None:
        self.folder, lock = _taken(lake)
        # Also where nobody closes it: an engine may fail while it is made.
        self._remove = weakref.finalize(self, _removed, self.folder, lock)

    @property
    def max_bytes(self) -> int:
        """How much may be put there."""
        return int(shutil.disk_usage(self.folder).free * SPILL_SHARE)

    def close(self) -> None:
        """Remove it with what is in it."""
        self._remove()


def _removed(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
    with suppress(OSError):  # others are there
        folder.parent.rmdir()


def _taken(lake: Lake) -> tuple[Path, int]:
    """A new folder, and its lock.

    Raises:
        StorageError: there is no place for one.
    """
    refused: OSError | None = None
    for root in _roots(lake):
        try:
            return _below(root)
        except OSError as error:  # not ours, read-only, full, or without locks: the next
            refused = error
    raise StorageError(
        f"no folder for temporary files: {refused}",
        hint="let TMPDIR name one that this user may write to",
    )


def _roots(lake: Lake) -> Iterator[Path]:
    user = os.geteuid()
    if lake.is_local and lake.folder.is_dir():
        yield lake.folder / f".spill-{user}"
    yield Path(tempfile.gettempdir()) / f"headrace-spill-{user}"


def _below(root: Path) -> tuple[Path, int]:
    for _ in range(SPILL_TRIES):
        root.mkdir(mode=0o700, exist_ok=True)
        if root.is_symlink() or root.stat().st_uid != os.geteuid():
            raise PermissionError(f"{root} is not ours")
        with suppress(FileNotFoundError):  # another engine has tidied up: once more
            _sweep(root)
            folder = Path(tempfile.mkdtemp(dir=root))
            try:
                lock = _locked(folder)
            except OSError:  # no locks on this file system
                folder.rmdir()
                raise
            if lock is not None:
                return folder, lock
    raise OSError(f"{root}: others are always faster")


def _sweep(root: Path) -> None:
    """Remove what nobody holds."""
    for folder in root.iterdir():
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """The lock of a folder; None where somebody has it, or has removed the folder meanwhile."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            return None
        raise
    if os.fstat(lock).st_nlink == 0:
        os.close(lock)
        return None
    return lock
