"""What it costs to know a lake: series folded and counted, quality judged, the catalogue asked."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cloud_sync.catalog.keeper import SeriesKeeper
from cloud_sync.config import for_data
from cloud_sync.quality.keeper import QualityKeeper
from headrace.clock import ManualClock
from headrace.metrics import Metrics
from tests.bench import lake_make
from tests.bench.lake.merging import measured
from tests.journals import START_US, Journal, readings
from tests.lakes import pipeline


@dataclass(frozen=True)
class KnowingResult:
    """CPU microseconds a reading, and anonymous megabytes of a process."""

    readings: int
    series: int
    counting_us: float
    judging_us: float
    judging_mb: int
    catalog_cpu_s: float


def run_knowing(folder: Path, *, readings_of_day: int) -> KnowingResult:
    """A lake of one day: its series counted from the table, its quality judged, its tables listed."""
    made = lake_make.make(folder, readings_of_day, days=1, is_kept=False)
    config = folder / "cloud_sync.toml"
    config.write_text(f'[lake]\nuri = "{folder / "lake"}"\n')
    started = time.process_time()
    SeriesKeeper(for_data(folder), ManualClock()).step()
    counting = time.process_time() - started
    day = datetime.fromtimestamp(lake_make.FIRST_US / 1e6, UTC).date().isoformat()
    _, judging, peak = measured(_python("cloud_sync", config, "quality", "--day", day))
    told, listing, _ = measured(_python("headrace.cli", config, "catalog"))
    return KnowingResult(
        made.readings, json.loads(told)["series"]["series"], 1e6 * counting / made.readings,
        1e6 * judging / made.readings, peak, listing,
    )  # fmt: skip


def run_folding(folder: Path, *, landings: int, rows: int) -> float:
    """CPU microseconds a reading to fold what has landed, beside which 30 ms are the commit."""
    config = for_data(folder)
    journal, path = Journal(config.journal.path), pipeline(config)
    keeper = SeriesKeeper(config, ManualClock())
    for at in range(landings + 1):
        journal.append("pump", readings(rows, series=100, start_us=START_US + at * 60_000_000))
        path.land()
        path.register()
        if at == 0:
            keeper.step()
    started = time.process_time()
    assert keeper.step() == landings * rows
    total = time.process_time() - started
    journal.close()
    return 1e6 * total / (landings * rows)


def run_late(folder: Path, *, readings_of_day: int, devices: Sequence[int]) -> list[float]:
    """CPU seconds of a round of quality: of the whole day, and when readings of so many devices came late."""
    lake_make.make(folder, readings_of_day, days=1, is_kept=False)
    config = for_data(folder)
    journal, path = Journal(config.journal.path, site=lake_make.SITE), pipeline(config)
    clock = ManualClock(lake_make.FIRST_US + lake_make.DAY_US + 7_200_000_000)
    keeper = QualityKeeper(config, clock, Metrics("cloud_sync"))
    found = []
    for count in (0, *devices):
        for number in range(count):
            device = lake_make.device(number * (lake_make.DEVICES // count))
            late = readings(100, series=10, start_us=lake_make.FIRST_US + 3_600_000_000)
            journal.append(device, late, received_at=lake_make.FIRST_US + lake_make.DAY_US)
        path.land()
        path.register()
        started = time.process_time()
        done = keeper.round()
        found.append(time.process_time() - started)
        assert done
        assert not any(day.problem for day in done)
    journal.close()
    return found


def _python(module: str, config: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", module, *words, "--config", str(config), "--json"]
