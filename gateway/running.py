"""The one gateway that runs on a data folder, and how commands beside it find it.

::

    <data_dir>/gateway.pid     its process id; locked while it runs, so a stale file fools nobody
    <data_dir>/reload.json     what became of the last reload

The lock also keeps a second gateway from the same journal. A command that has something to say sends
a signal and reads the answer from a file: that works without HTTP, in containers and as a service.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from headrace.errors import StorageError, UsageError
from headrace.limits.process import RELOAD_ANSWER_S

PID_FILE: Final = "gateway.pid"
ANSWER_FILE: Final = "reload.json"

_MOMENT_S: Final = 0.05
_MOMENTS: Final = 10


class Answer(msgspec.Struct, frozen=True):
    """What became of a reload; ``number`` counts them since the start."""

    number: int
    ok: bool
    lines: tuple[str, ...]


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Be the gateway of a data folder.

    Raises:
        UsageError: another one is.
        StorageError: the folder is not ours to write in.
    """
    path = folder / PID_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Not truncated before the lock is ours: it may be another's.
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+")
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be opened: {error.strerror}",
            hint="set data_dir to a folder that this user may write",
        ) from error
    with file:
        if not _lock_soon(file.fileno()):
            raise UsageError(
                f"another gateway (pid {file.read().strip()}) runs on {folder}",
                hint="stop it, or give this one a data_dir of its own",
            )
        (folder / ANSWER_FILE).unlink(missing_ok=True)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.truncate(0)


def _lock_soon(handle: int) -> bool:
    """A command that looks whether a gateway runs holds the lock for a moment."""
    for _ in range(_MOMENTS):
        if _lock(handle):
            return True
        time.sleep(_MOMENT_S)
    return False


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find(folder: Path) -> int | None:
    """The process id of the gateway that runs on a data folder; None when there is none.

    Raises:
        StorageError: that cannot be seen.
    """
    path = folder / PID_FILE
    try:
        with path.open(encoding="ascii") as file:
            # Empty for as long as it takes a gateway that has just begun to write it.
            return None if _lock(file.fileno()) else int(file.read() or "0") or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be read: {error}") from error


def answer(folder: Path, what: Answer) -> None:
    """Leave an answer where ``ask_to_reload`` looks."""
    path = folder / ANSWER_FILE
    part = path.with_suffix(".part")
    try:
        part.write_bytes(msgspec.json.encode(what))
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error


def ask_to_reload(folder: Path) -> Answer:
    """Have the running gateway read its configuration again.

    Raises:
        UsageError: none runs, or it is another user's.
        StorageError: it does not answer.
    """
    pid = find(folder)
    if pid is None:
        raise UsageError(f"no gateway runs on {folder}", hint="check data_dir, or start it")
    before = _last_number(folder)
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError as error:
        raise UsageError(
            f"gateway {pid} belongs to another user", hint="run this as that user, or as root"
        ) from error
    deadline = time.monotonic() + RELOAD_ANSWER_S
    while time.monotonic() < deadline:
        found = _last(folder)
        if found is not None and found.number > before:
            return found
        time.sleep(0.05)
    raise StorageError(
        f"gateway {pid} has not said within {RELOAD_ANSWER_S:g} s how its reload went",
        hint="look at its log",
    )


def _last_number(folder: Path) -> int:
    found = _last(folder)
    return found.number if found is not None else 0


def _last(folder: Path) -> Answer | None:
    try:
        return msgspec.json.decode((folder / ANSWER_FILE).read_bytes(), type=Answer)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StorageError(f"{folder / ANSWER_FILE}: cannot be read: {error}") from error
