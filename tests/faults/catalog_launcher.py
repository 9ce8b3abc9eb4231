"""Keeps series and quality in child processes that kill themselves at a chosen step.

``python tests/faults/catalog_launcher.py FOLDER STEP [STEP …]``: each child brings the tables of ``FOLDER/<index>`` up
to date. Steps are those of maintenance, before and after each: a record put, a data file opened, a row
group written, a request to the catalogue, a deletion (``stepping``).
"""

from __future__ import annotations

from pathlib import Path

from cloud_sync.catalog.keeper import SeriesKeeper
from cloud_sync.quality.keeper import QualityKeeper
from headrace.clock import ManualClock
from headrace.metrics import Metrics
from tests.faults.maintain_launcher import NOW_US, make_mortal
from tests.faults.stepping import Steps, main
from tests.lakes import settings


def keep(folder: Path) -> None:
    """Both tables."""
    config, clock = settings(folder), ManualClock(NOW_US)
    SeriesKeeper(config, clock).step()
    assert not [
        day.problem
        for day in QualityKeeper(config, clock, Metrics("cloud_sync")).round()
        if day.problem
    ]


def run(folder: Path, steps: Steps) -> None:
    """Until the step that is the last."""
    make_mortal(steps)
    keep(folder)


if __name__ == "__main__":
    main(run)
