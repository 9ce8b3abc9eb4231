"""CPU and memory of compacting a day, by its size: ``cloud-sync maintain`` as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cloud_sync.lake.table import IcebergReadings
from headrace.lake.config import Lake
from tests.bench.lake.made import DAY_US, landing, register, start_of


@dataclass(frozen=True)
class MergingResult:
    readings: int
    files: int
    before: float  # bytes per reading
    after: float
    cpu_us_per_reading: float
    peak_mb: int  # anonymous memory


def run_merging(
    folder: Path, *, landings: int, devices: int, steps: int, level: int
) -> MergingResult:
    """Register a day's landings, then compact it."""
    table = IcebergReadings(Lake(uri=str(folder / "lake")))
    for at in range(landings):
        rows = landing(
            devices=devices, steps=steps, first_us=start_of(at, landings),
            span_us=DAY_US // landings, seed=at,
        )  # fmt: skip
        register(folder / "lake", at + 1, table, rows)
    config = folder / "cloud_sync.toml"
    config.write_text(f'[lake]\nuri = "{folder / "lake"}"\n[maintain]\nlevel = {level}\n')
    answer, cpu_s, peak_mb = measured(
        [sys.executable, "-m", "cloud_sync", "maintain", "--config", str(config), "--json"]
    )
    (day,) = json.loads(answer)["days"]
    rows_of_day = day["before"]["rows"]
    return MergingResult(
        rows_of_day, day["before"]["files"], day["before"]["bytes"] / rows_of_day,
        day["after"]["bytes"] / rows_of_day, 1e6 * cpu_s / rows_of_day, peak_mb,
    )  # fmt: skip


def measured(argv: list[str]) -> tuple[str, float, int]:
    """A process's output, its CPU seconds and its peak of anonymous memory."""
    before = os.times()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _anonymous_kb(process.pid))
            time.sleep(0.05)
        assert process.stdout is not None
        output = process.stdout.read()
        assert process.returncode == 0, output
    used = os.times()
    cpu_s = (
        used.children_user + used.children_system - before.children_user - before.children_system
    )
    return output, cpu_s, peak // 1024


def _anonymous_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)
