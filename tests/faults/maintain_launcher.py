"""Maintains a data folder in processes that kill themselves (``stepping``).

Steps are before and after each record put, each data file opened, each row group written, each request to the
catalogue, each deletion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

from cloud_sync.config import Maintain, Register
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.maintain.maintainer import Maintainer
from headrace.clock import ManualClock
from headrace.lake.fileio import SyncedFileIO
from headrace.lake.store import LocalStore
from headrace.metrics import Metrics
from tests.faults.stepping import Steps, main
from tests.journals import START_US
from tests.lakes import settings

#: A round, one that stamps what is free, and one that removes it.
ROUNDS = 3

#: Two days behind the readings of the tests.
NOW_US = START_US // DAY_US * DAY_US + 3 * DAY_US


def maintain(folder: Path, now_us: int) -> None:
    """Rounds with little patience: an hour between two, and nothing is kept for readers."""
    config = replace(
        settings(folder),
        maintain=Maintain(level=3, grace_s=1.0, orphan_age_s=60.0),
        register=Register(keep_snapshots=1),
    )
    clock = ManualClock(now_us)
    store = LocalStore(config.lake.folder)
    maintainer = Maintainer(config, store, clock, Metrics("cloud_sync"))
    for _ in range(ROUNDS):
        report = maintainer.round()
        assert not report.problems, report.problems
        clock.advance(3_600)


def make_mortal(steps: Steps) -> None:
    """Let this process die around whatever leaves a trace."""
    _wrap(LocalStore, "put", steps)
    _wrap(SyncedFileIO, "new_output", steps)
    _wrap(SyncedFileIO, "delete", steps)
    _wrap(pq.ParquetWriter, "write_table", steps)
    _wrap(SqlCatalog, "commit_table", steps)


def _wrap(kind: type, name: str, steps: Steps) -> None:
    original: Callable[..., Any] = getattr(kind, name)

    def mortal(*args: Any, **kwargs: Any) -> Any:
        return steps.around(lambda: original(*args, **kwargs))

    setattr(kind, name, mortal)


def run(folder: Path, steps: Steps) -> None:
    """Maintain at ``NOW_US``."""
    make_mortal(steps)
    maintain(folder, NOW_US)


if __name__ == "__main__":
    main(run)
