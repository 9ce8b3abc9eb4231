"""CPU seconds, peak memory and bytes written of processes, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far."""

    cpu_s: float
    peak_mb: float
    rss_mb: float
    written_bytes: int


def usage(pid: int) -> Usage:
    """Read /proc/<pid>; the process must be alive."""
    process = Path("/proc") / str(pid)
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    io = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
    return Usage(
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS,
        peak_mb=int(status["VmHWM"].split()[0]) / 1024,
        rss_mb=int(status["VmRSS"].split()[0]) / 1024,
        written_bytes=int(io["write_bytes"]),
    )


def anonymous_mb(pid: int) -> float:
    """Memory that is a process's own: what it shares with a child since the fork counts in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:")) / 1024


def difference(after: Usage, before: Usage) -> Usage:
    """What was used in between; memory is that of ``after``."""
    return Usage(
        after.cpu_s - before.cpu_s,
        after.peak_mb,
        after.rss_mb,
        after.written_bytes - before.written_bytes,
    )


def children(pid: int) -> list[int]:
    """The processes that a process has started and that live."""
    found = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()
    return [int(each) for each in found]
