"""The time of a commit after many: a landing a commit, a round of maintenance now and then.

The days go by as fast as commits are made (a landing a minute of a clock that is moved), so that there
are days to compact, snapshots to expire and files to remove. Reported is CPU time, because the machine may be
busy: the median of the first and of the last commits.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

from cloud_sync.config import Maintain, for_data
from cloud_sync.lake.table import IcebergReadings
from cloud_sync.maintain.maintainer import Maintainer
from headrace.clock import ManualClock
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from tests.bench.lake.made import landing, register
from tests.bench.lake.recordings import START_US

MINUTE_US = 60_000_000
SAMPLE = 100


@dataclass(frozen=True)
class CommitsResult:
    commits: int
    first_ms: float  # CPU
    last_ms: float
    files: int
    snapshots: int
    metadata_files: int
    maintenance_cpu_s: float


def run_commits(folder: Path, *, commits: int, is_maintained: bool = True) -> CommitsResult:
    """Commit a small landing so many times; maintenance once an hour of the moved clock."""
    config = replace(
        for_data(folder), maintain=Maintain(level=3, orphan_age_s=3_600.0, settle_s=600.0)
    )
    keep = config.register.keep_snapshots
    clock = ManualClock(START_US)
    maintainer = Maintainer(config, open_store(config.lake), clock, Metrics("cloud_sync"))
    table = IcebergReadings(config.lake)
    times: list[float] = []
    maintenance = 0.0
    for number in range(1, commits + 1):
        rows = landing(devices=2, steps=4, first_us=clock.now_us(), span_us=MINUTE_US, seed=number)
        clock.advance(60)
        start = time.process_time()
        register(folder / "lake", number, table, rows)
        table.expire(keep)
        times.append(time.process_time() - start)
        if is_maintained and number % 60 == 0:
            start = time.process_time()
            maintainer.round()
            maintenance += time.process_time() - start
    return _result(folder, times, maintenance)


def _result(folder: Path, times: list[float], maintenance: float) -> CommitsResult:
    loaded = load_readings(open_catalogue(for_data(folder).lake))
    assert loaded is not None
    first, last = times[10 : 10 + SAMPLE], times[-SAMPLE:]
    return CommitsResult(
        len(times), 1e3 * statistics.median(first), 1e3 * statistics.median(last),
        len(list(loaded.scan().plan_files())), len(loaded.snapshots()),
        sum(1 for path in (folder / "lake" / "warehouse").rglob("metadata/*")), maintenance,
    )  # fmt: skip
