"""Rollups of a day of many readings: CPU, memory and rows of ``cloud-sync compute run``, a process of its own.

``python -m tests.bench.computing DIR`` makes a lake of a day with ten series a device, a reading in 8.64 s each, and
computes minutes, hours and days from it: seven readings a minute, so there is little to win by rolling up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from tests.bench.lake_make import NAMES, make

#: Of each series, in its day.
EACH = 10_000
DEVICES = (100, 300, 1_000)


@dataclass(frozen=True, slots=True)
class Computed:
    """What one run took."""

    readings: int
    rows: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    bytes: int


def run_rollups(folder: Path, devices: int, *words: str) -> Computed:
    """Make a lake where there is none, and compute everything from it."""
    readings = devices * len(NAMES) * EACH
    if not folder.exists():
        make(folder, readings, days=1, devices=devices, is_kept=False)
    argv = [sys.executable, "-m", "cloud_sync", "compute", "run", "--data", str(folder), "--json"]
    started = time.perf_counter()
    with subprocess.Popen([*argv, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    made = sum(path.stat().st_size for path in folder.rglob("data/computed/*.parquet"))
    return Computed(
        readings, json.loads(told)[0]["rows"], time.perf_counter() - started,
        used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, made,
    )  # fmt: skip


def print_rollups(folder: Path, share: float, *words: str) -> None:
    """A table of three sizes."""
    print(
        "| readings | rows of a minute | s | CPU s | peak memory, MB | bytes a row |\n|---|---|---|---|---|---|"
    )
    for devices in DEVICES:
        found = run_rollups(folder / str(devices), max(20, round(devices * share)), *words)
        print(
            f"| {found.readings:,} | {found.rows:,} | {found.wall_s:,.1f} | {found.cpu_s:,.1f} | "
            f"{found.peak_mb:,.0f} | {found.bytes / found.rows:.1f} |",
            flush=True,
        )
    print(flush=True)


@click.command()
@click.option("--share", default=1.0, show_default=True, help="Of the devices.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(share: float, folder: Path) -> None:
    """Measure rollups of lakes in FOLDER."""
    print_rollups(folder, share)


if __name__ == "__main__":
    main()
