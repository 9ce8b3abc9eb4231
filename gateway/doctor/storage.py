"""The data folder: whose it is, how much room it has, and whether its disk keeps promises."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.config import GatewayConfig
from gateway.doctor.finding import Finding, fail, ok, warn
from headrace.errors import HeadraceError
from headrace.journal import DAMAGED, JournalReader
from headrace.limits.ingest import JOURNAL_DISK_RESERVE_BYTES
from headrace.limits.sizes import MIB

#: fsync of 4 KiB: an SD card takes 5 to 20 ms, a disk 1 to 10. Beyond 50 each group commit waits.
_SLOW_S: Final = 0.05
_SYNCS: Final = 15

#: A file that SQLite checks in a few seconds; a larger one is left to `gateway journal verify`.
_CHECK_MAX: Final = 256 * MIB

#: File systems that live in memory.
_VOLATILE: Final = frozenset({"tmpfs", "ramfs"})


def folder(config: GatewayConfig) -> Iterator[Finding]:
    """Whether it is there and ours."""
    path = config.data_dir
    existing = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        yield fail(
            "data_dir", f"{existing}: this user (uid {os.geteuid()}) may not write there",
            "chown it to the gateway's user, or run this as that user",
        )  # fmt: skip
    elif existing != path.absolute():
        yield ok("data_dir", f"{path} is made at the first start")
    else:
        yield ok("data_dir", str(path))


def room(config: GatewayConfig) -> Iterator[Finding]:
    """Whether the journal may grow to its budget."""
    path = _existing(config.data_dir)
    if path is None:
        return
    free = shutil.disk_usage(path).free
    journal = config.journal_path
    used = journal.stat().st_size if journal.exists() else 0
    wanted = max(0, config.journal.max_bytes - used)
    said = f"{free / MIB:.0f} MiB free, the journal may grow by {wanted / MIB:.0f} MiB"
    if free < JOURNAL_DISK_RESERVE_BYTES:
        yield fail("room", said, "free space: nothing can be acknowledged without it")
    elif free < wanted:
        yield warn("room", said, f"free space, or set journal.max_bytes to {(used + free) // 2}")
    else:
        yield ok("room", said)


def syncs(config: GatewayConfig) -> Iterator[Finding]:
    """How long an fsync takes where the journal lies: what every ack waits for."""
    path = _existing(config.data_dir)
    if path is None:
        return
    kind = file_system(path)
    if kind in _VOLATILE:
        yield warn("fsync", f"{path} is a {kind}: in memory", "put data_dir on a disk")
        return
    try:
        took = statistics.median(_times(path))
    except OSError as error:
        yield fail("fsync", f"{path}: {error.strerror}", "see the kernel's log for the disk")
        return
    said = f"{took * 1_000:.2f} ms ({kind})"
    if took > _SLOW_S:
        yield warn("fsync", said, "every ack waits for it: use a faster card or disk")
    else:
        yield ok("fsync", said)


def journal(config: GatewayConfig) -> Iterator[Finding]:
    """Whether SQLite finds the file sound, and what readers have found."""
    path = config.journal_path
    if not path.exists():
        yield ok("journal", "not there yet")
        return
    try:
        with JournalReader(path) as reader:
            size = path.stat().st_size
            faults = reader.integrity() if size <= _CHECK_MAX else []
            damaged = reader.quarantine_reasons().get(DAMAGED, 0)
    except HeadraceError as error:
        yield fail("journal", str(error), "stop the gateway and move the file away")
        return
    if faults or damaged:
        found = faults[0] if faults else f"{damaged} places could not be read"
        yield fail("journal", found, "see `gateway journal verify`; check the disk")
    elif size > _CHECK_MAX:
        yield ok("journal", f"{size / MIB:.0f} MiB; `gateway journal verify` checks all of it")
    else:
        yield ok("journal", f"{size / MIB:.0f} MiB, sound")


def file_system(path: Path) -> str:
    """The type of the file system that a path lies on."""
    best, kind = "", "unknown"
    real = str(path.resolve())
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, mount, found, *_ = line.split()
        inside = real == mount or real.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, found
    return kind


def _times(path: Path) -> Iterator[float]:
    with tempfile.NamedTemporaryFile(dir=path, prefix=".doctor-") as file:
        for _ in range(_SYNCS):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            yield time.perf_counter() - started


def _existing(path: Path) -> Path | None:
    """The folder, or the one that it would be made in; None where that is not ours."""
    found = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    return found if os.access(found, os.W_OK | os.X_OK) else None
