"""Writes what a simulated pump does as a CSV, without waiting for the time to pass."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from typing import IO

from edge_agent.inputs.simulated.faults import Fault
from edge_agent.inputs.simulated.pump import NAMES, Pump


def write_recording(
    out: IO[str], *, rows: int, seed: int, hz: float, fault: Fault, start: datetime | None = None
) -> None:
    """``rows`` steps with the columns ``time`` and the eight series names."""
    pump = Pump(seed=seed, step_s=1.0 / hz, fault=fault)
    begin = start or datetime(2026, 1, 1, tzinfo=UTC)
    writer = csv.writer(out)
    writer.writerow(("time", *NAMES))
    for row in range(rows):
        time = begin + timedelta(microseconds=round(row * 1e6 / hz))
        writer.writerow((time.isoformat(), *(f"{value:.6g}" for value in pump.step())))
