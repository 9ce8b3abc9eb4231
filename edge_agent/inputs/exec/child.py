"""Runs one command: without a shell, for a limited time, with limited output.

The command gets a process group of its own, and the whole group is ended when the time is over or the
output too long: a script's children would else go on and hold the pipe. The run lasts until the command
has ended and nobody holds its output any more.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from headrace.errors import InputError

_CHUNK: Final = 65_536
#: What is kept of stderr: its end, which says why.
_STDERR_BYTES: Final = 4_096
#: Seconds between two looks whether the agent stops.
_WATCH_S: Final = 0.25


def run(
    command: Sequence[str], *, timeout_s: float, max_bytes: int, stopping: threading.Event
) -> bytes:
    """What the command prints.

    Raises:
        InputError: it cannot be started, fails, takes too long or prints too much; or the agent stops.
    """
    ends_at = time.monotonic() + timeout_s
    try:
        child = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"{command[0]} cannot be started: {error.strerror}") from error
    with child:
        try:
            output, complaint = _read(child, ends_at, max_bytes, stopping)
            status = child.wait(max(_WATCH_S, ends_at - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            _end(child)
            why = "the agent stops" if stopping.is_set() else f"did not end within {timeout_s:g} s"
            raise InputError(f"{command[0]} was ended: {why}") from error
        except OverflowError as error:
            _end(child)
            raise InputError(f"{command[0]} printed over {max_bytes} bytes; ended") from error
    if status:
        raise InputError(f"{command[0]} ended with status {status}: {_last_line(complaint)}")
    return output


def _read(
    child: subprocess.Popen[bytes], ends_at: float, max_bytes: int, stopping: threading.Event
) -> tuple[bytes, bytes]:
    """Everything from stdout and the end of stderr."""
    assert child.stdout is not None  # noqa: S101  (PIPE)
    assert child.stderr is not None  # noqa: S101
    output, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ, output)
        selector.register(child.stderr, selectors.EVENT_READ, complaint)
        while selector.get_map():
            left = ends_at - time.monotonic()
            if left <= 0 or stopping.is_set():
                raise TimeoutError
            for key, _ in selector.select(min(left, _WATCH_S)):
                chunk = os.read(key.fd, _CHUNK)
                key.data.extend(chunk)
                if not chunk:
                    selector.unregister(key.fileobj)
            del complaint[:-_STDERR_BYTES]
            if len(output) > max_bytes:
                raise OverflowError
    return bytes(output), bytes(complaint)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the command and its children; it has not been waited for, so the number is still its own."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _last_line(complaint: bytes) -> str:
    lines = complaint.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else "it says nothing on stderr"
