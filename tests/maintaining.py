"""A lake of days that are over, and its maintainer: what tests of maintenance begin with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from pyiceberg.table import Table

from cloud_sync.config import CloudSync, Maintain, Register
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.maintain.maintainer import Maintainer
from cloud_sync.maintain.report import Report
from headrace.clock import ManualClock
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from tests.journals import START_US, Journal, readings
from tests.lakes import Identity, identities, pipeline, settings

MIDNIGHT_US = START_US // DAY_US * DAY_US
LATER_US = MIDNIGHT_US + 3 * DAY_US


@dataclass
class Lake:
    """A data folder whose days are over, and its maintainer."""

    folder: Path
    config: CloudSync
    clock: ManualClock
    maintainer: Maintainer

    @property
    def table(self) -> Table:
        table = load_readings(open_catalogue(self.config.lake))
        assert table is not None
        return table

    @property
    def files(self) -> list[str]:
        return [task.file.file_path for task in self.table.scan().plan_files()]

    def identities(self) -> Counter[Identity]:
        return identities(self.config.lake, None)

    def round(self, *, dry_run: bool = False) -> Report:
        return self.maintainer.round(dry_run=dry_run)

    def again(self, **changes: object) -> Lake:
        """The same lake with another [maintain]."""
        return lake_of(self.folder, self.clock, **changes)


def lake_of(folder: Path, clock: ManualClock, **changes: object) -> Lake:
    maintain = replace(Maintain(level=3, grace_s=60.0), **changes)  # type: ignore[arg-type]
    config = replace(
        settings(folder, max_rows=300), maintain=maintain, register=Register(keep_snapshots=2)
    )
    maintainer = Maintainer(config, open_store(config.lake), clock, Metrics("cloud_sync"))
    return Lake(folder, config, clock, maintainer)


def append(folder: Path, batches: int, *, days: int = 2, first: int = 0) -> None:
    """Batches in turn for each day and of three devices, in a stream of their own."""
    stream = f"{first:016x}"
    journal = Journal(folder / "gateway" / "journal.db")
    for at in range(first, first + batches):
        start = MIDNIGHT_US + (at % days) * DAY_US + at * 1_000_000
        journal.append(
            f"pump-{at % 3}",
            readings(100, start_us=start, seed=at),
            received_at=LATER_US,
            stream=stream,
        )
    journal.close()


def land_and_register(config: CloudSync, times: int = 1) -> None:
    for _ in range(times):
        path = pipeline(config)
        path.land()
        path.register()
