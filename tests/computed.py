"""Lakes to compute from, and what rollups have to be: by plain Python, reading by reading."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cloud_sync.compute.jobs import Job, choose, read
from cloud_sync.compute.run import ComputeRun, Outcome
from cloud_sync.config import CloudSync, Compute, EngineName
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from headrace.metrics import Metrics
from tests import lakes
from tests.journals import Journal, batch

#: 2026-11-20, midnight UTC.
DAY_US = 86_400_000_000
FIRST_US = 1_795_132_800_000_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US

Row = dict[str, Any]


@dataclass
class ComputedLake:
    """A data folder that is filled batch by batch, and computed from."""

    folder: Path
    config: CloudSync
    journal: Journal

    def append(
        self, device: str, name: str, times: Sequence[int], values: Sequence[float | None],
        *, unit: str = "", texts: Sequence[str | None] | None = None,
    ) -> None:  # fmt: skip
        rows = batch([name] * len(times), list(times), list(values), texts)
        self.journal.append(device, rows, units={name: unit} if unit else None)

    def register(self) -> None:
        path = lakes.pipeline(self.config)
        path.land()
        path.register()

    def job(self, name: str = "rollups") -> Job:
        (job,) = choose(read(self.config.compute, "test"), name)
        return job

    def run(
        self, name: str = "rollups", *, engine: EngineName = "duckdb", **more: Any
    ) -> list[Outcome]:
        job = self.job(name)
        return ComputeRun(self.config, job, Metrics("cloud_sync"), engine=engine, **more).run()

    def ask(self, sql: str) -> pa.Table:
        from headrace.query.ask import Questions
        from headrace.query.config import Place

        questions = Questions(Place(self.config.lake, self.config.journal.path))
        try:
            with questions.ask(sql) as answer:
                return answer.reader.read_all()
        finally:
            questions.close()

    def table(self, name: str) -> list[Row]:
        """A computed table in order."""
        order = (
            "site, device, time"
            if name.startswith("features")
            else "site, device, name, unit, time"
        )
        rows: list[Row] = self.ask(f"SELECT * FROM {name} ORDER BY {order}").to_pylist()
        return rows

    def expected_minutes(self) -> list[Row]:
        """Of the readings of the registered files."""
        sql = "SELECT * FROM readings WHERE isfinite(value) ORDER BY time, seq"
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for row in self.ask(sql).to_pylist():
            minute = row["time"].replace(second=0, microsecond=0)
            key = (row["site"], row["device"], row["name"], row["unit"] or "", minute)
            groups[key].append(row)
        return [_rollup(key, groups[key]) for key in sorted(groups)]


def computed_lake(folder: Path, *compute: Compute) -> ComputedLake:
    config = replace(lakes.settings(folder), compute=tuple(compute))
    return ComputedLake(folder, config, Journal(config.journal.path))


def fill(lake: ComputedLake, *, days: int = 2, devices: int = 3, seed: int = 0) -> None:
    """Three hours around each midnight, a reading in ten seconds, in no order of time."""
    chance = np.random.default_rng(seed)
    for day in range(days):
        for device in range(devices):
            times = FIRST_US + day * DAY_US + np.arange(0, 3 * 3_600, 10) * SECOND_US
            times = chance.permutation(times + chance.integers(0, 900_000, len(times)))
            lake.append(f"pump-{device}", "flow", times.tolist(), chance.normal(20, 3, len(times)).tolist())  # fmt: skip
    lake.register()


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Equal; sums within the last place, as the reference rounds once and the product a few times."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for key in ("sum", "mean"):
            assert math.isclose(one[key], other[key], rel_tol=1e-15, abs_tol=1e-25), (one, other)
        rest = {key: one[key] for key in one if key not in ("sum", "mean")}
        assert rest == {key: other[key] for key in rest}


def snapshots(lake: ComputedLake, name: str) -> int:
    return len(open_catalogue(lake.config.lake).load_table((NAMESPACE, name)).snapshots())


def _rollup(key: tuple[Any, ...], rows: list[Row]) -> Row:
    values = [row["value"] for row in rows]
    # Sums of few values of one size: the true sum, rounded once.
    total = float(sum(map(Fraction, values)))
    site, device, name, unit, minute = key
    return {
        "site": site, "device": device, "name": name, "unit": unit or None, "time": minute,
        "count": len(values), "sum": total, "min": min(values), "max": max(values),
        "mean": total / len(values), "first": values[0], "last": values[-1],
    }  # fmt: skip
