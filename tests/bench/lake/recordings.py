"""Recordings at 1 Hz: a pump rig with faults (SKAB) and this project's host input on a busy machine.

``host.parquet`` holds what ``edge_agent.inputs.host`` gave on two cores under load, one row a second.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

ROOT = Path(__file__).parents[3]
HOST = Path(__file__).with_name("host.parquet")
START_US = 1_790_035_200_000_000  # a midnight, UTC


@dataclass(frozen=True)
class Recording:
    """``values[second, series]``; a series that has nothing to say is NaN."""

    device: str
    names: list[str]
    times: NDArray[np.int64]
    values: NDArray[np.float64]

    def first(self, seconds: int) -> Recording:
        return Recording(self.device, self.names, self.times[:seconds], self.values[:seconds])

    @property
    def readings(self) -> int:
        return int(np.count_nonzero(~np.isnan(self.values)))


def rig() -> Recording | None:
    """All recordings of the rig, one after the other; None where they are not on this machine."""
    folder = Path(os.environ.get("HEADRACE_TEST_DATA", ROOT.parent / "shared" / "data")) / "skab"
    parts = [_values(path) for path in sorted(folder.glob("*/*.csv"))]
    if not parts:
        return None
    values = np.concatenate([part for _, part in parts])
    times = START_US + np.arange(len(values)) * 1_000_000  # its logger wrote whole seconds
    return Recording("rig-1", parts[0][0], times, values)


def host() -> Recording:
    """The host's metrics, with the times at which they were polled."""
    table = pq.read_table(HOST)
    names = [name for name in table.column_names if name != "time"]
    times = table.column("time").to_numpy()
    values = np.stack([table.column(name).to_numpy() for name in names], axis=1)
    return Recording("host-1", names, times - times[0] + START_US, values)


def _values(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file, delimiter=";")
    columns = [
        at for at, name in enumerate(header) if name not in ("datetime", "anomaly", "changepoint")
    ]
    values = np.array([[float(row[at]) for at in columns] for row in rows])
    return [header[at] for at in columns], values
