"""Runs maintenance in child processes that kill themselves at a chosen step.

``python tests/faults/maintain_launcher.py FOLDER NOW_US STEP [STEP …]``: for each STEP a child maintains the data
folder ``FOLDER/<index>`` and gets SIGKILL when it reaches that step. Steps are counted before and after
everything that leaves a trace: each record put, each data file opened, each row group written, each request to
the catalogue, each deletion. Prints one line per child, as ``lake_launcher`` does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

from cloud_sync.config import Maintain, Register
from cloud_sync.maintain.maintainer import Maintainer
from headrace.clock import ManualClock
from headrace.lake.fileio import SyncedFileIO
from headrace.lake.store import LocalStore
from headrace.metrics import Metrics
from tests.faults.lake_launcher import Steps
from tests.lakes import settings

#: A round, one that stamps what is free, and one that removes it.
ROUNDS = 3


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


def main() -> None:
    root, now_us = Path(sys.argv[1]), int(sys.argv[2])
    for index, fatal in enumerate(map(int, sys.argv[3:])):
        child = os.fork()
        if child == 0:
            steps = Steps(fatal)
            make_mortal(steps)
            maintain(root / str(index), now_us)
            (root / str(index) / "steps").write_text(str(steps.count))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else f"exit {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()
