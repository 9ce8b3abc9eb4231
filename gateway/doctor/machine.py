"""What the machine gives the gateway: a clock that is right, memory, open files."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.doctor.finding import Finding, ok, warn
from headrace.limits.sizes import MIB

#: ``struct timex`` of Linux: mode, five longs, status … 208 bytes on 64 bit, 128 on 32 bit.
_LONG: Final = ctypes.sizeof(ctypes.c_long)
_TIMEX_BYTES: Final = 256
_UNSYNCHRONISED: Final = 0x40

#: What one gateway with console and models takes, with room for a flood.
_MEMORY: Final = 512 * MIB
_FILES: Final = 1_024


def clock() -> Iterator[Finding]:
    """Whether the kernel's clock follows a reference (``adjtimex``, as ``timedatectl`` shows it)."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "adjtimex") or libc.adjtimex(buffer) < 0:
        yield warn(
            "clock", "the kernel does not say whether it is synchronised", "see `timedatectl`"
        )
        return
    # modes (int, padded to a long), offset, freq, maxerror, esterror, status
    maxerror = ctypes.c_long.from_buffer(buffer, 3 * _LONG).value
    status = ctypes.c_int.from_buffer(buffer, 5 * _LONG).value
    if status & _UNSYNCHRONISED:
        yield warn(
            "clock", "not synchronised: arrival times and silence are judged by it",
            "start systemd-timesyncd or chrony (in a container: on the host)",
        )  # fmt: skip
    else:
        yield ok("clock", f"synchronised, at most {maxerror / 1_000:.0f} ms off")


def memory() -> Iterator[Finding]:
    """What the machine or its container has."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if limit.exists() else "max"
    total = min(total, int(text)) if text.isdecimal() else total
    said = f"{total / MIB:.0f} MiB"
    if total < _MEMORY:
        yield warn("memory", said, "512 MiB are enough for all of it; switch http.console off")
    else:
        yield ok("memory", said)


def files(pid: int | None) -> Iterator[Finding]:
    """How many files and connections the gateway, or this command, may have open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if pid is not None:
        soft = resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]
    if 0 <= soft < _FILES:
        yield warn("files", f"{soft} open files", "raise LimitNOFILE: a device is a connection")
    else:
        yield ok("files", f"{soft} open files" if soft >= 0 else "no limit of open files")
