"""A data folder with an hour of the demo's pumps: registered, landed, and in the journal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge_agent.inputs.simulated.faults import Fault
from edge_agent.inputs.simulated.pump import NAMES, SERIES, Pump
from tests import lakes
from tests.journals import Journal, batch

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
STEPS = 600

#: Every six seconds; the third develops a fault after forty minutes, as in the demo.
PUMPS = {
    "pump-1": Fault(),
    "pump-2": Fault(),
    "pump-3": Fault("bearing_wear", after_s=2_400.0, ramp_s=600.0),
}


def make_pumps(folder: Path) -> None:
    """Fill ``folder``; the last third of each pump has landed, or is in the journal only."""
    config = lakes.settings(folder)
    journal, path = Journal(config.journal.path, site="plant-1"), lakes.pipeline(config)
    units = {name: unit for name, unit, *_ in SERIES}
    pumps = {
        device: Pump(seed=number, step_s=6.0, fault=fault)
        for number, (device, fault) in enumerate(PUMPS.items())
    }
    for part in range(3):
        first = part * STEPS // 3
        for device, pump in pumps.items():
            values = np.array([pump.step() for _ in range(STEPS // 3)]).T
            times = round(START.timestamp()) * 1_000_000 + 6_000_000 * np.arange(
                first, first + STEPS // 3
            )
            for name, column in zip(NAMES, values, strict=True):
                rows = batch([name] * len(times), times.tolist(), column.tolist())
                journal.append(device, rows, units={name: units[name]})
        if part < 2:
            path.land()
        if part < 1:
            path.register()
    journal.close()
