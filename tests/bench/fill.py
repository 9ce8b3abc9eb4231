"""Fills an agent's buffer at full speed, through the agent's own intake: encode, seal, fsync.

Run as a process of its own: ``python -m tests.bench.fill BUFFER DEVICE READINGS SEED LOSS_WINDOW_S
ROWS_PER_BATCH``. Values are those of the simulated pump, 1,250 steps of 8 series a poll.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

from edge_agent.buffer.store import Store
from edge_agent.identity import boot_id
from edge_agent.inputs.simulated.pump import NAMES, Pump
from edge_agent.intake import Intake
from edge_agent.readings import Poll, Run
from headrace.clock import SystemClock
from headrace.limits.sizes import GIB
from headrace.limits.wire import MAX_BATCH_ROWS
from headrace.metrics import Metrics
from tests.bench.meter import usage

SERIES = 8
STEP_US = 1_000
START_US = 1_790_000_000_000_000


def polls(readings: int, steps: int, seed: int, *, distinct: int = 20_000) -> Iterator[Poll]:
    """Polls of ``steps`` steps of a pump at 1 kHz, which come again after ``distinct`` steps."""
    recorded = record(min(distinct, readings // SERIES), seed)
    length = len(next(iter(recorded.values())))
    for first in range(0, readings // SERIES, steps):
        at = first % max(1, length - steps)
        start = START_US + first * STEP_US
        times = array("q", range(start, start + steps * STEP_US, STEP_US))
        yield Poll([Run(name, times, values[at : at + steps]) for name, values in recorded.items()])


def record(steps: int, seed: int) -> dict[str, array[float]]:
    """Columns of a simulated pump."""
    pump = Pump(seed=seed, step_s=STEP_US / 1e6)
    columns = {name: array("d") for name in NAMES}
    for _ in range(steps):
        for column, value in zip(columns.values(), pump.step(), strict=True):
            column.append(value)
    return columns


def main() -> None:
    buffer, device, readings, seed, loss_window_s, rows = sys.argv[1:]
    store = Store(Path(buffer), device=device, max_bytes=8 * GIB, clock=SystemClock())
    metrics = Metrics("agent")
    intake = Intake(
        store, loss_window_s=float(loss_window_s), boot=boot_id(), clock=SystemClock(),
        metrics=metrics, sealed=lambda: None,
    )  # fmt: skip
    intake.add_source("bench", lossless=False)
    # Made before anything is timed.
    made = list(polls(int(readings), min(int(rows), MAX_BATCH_ROWS) // SERIES, int(seed)))
    before, started = usage(os.getpid()), time.perf_counter()
    stopping = threading.Event()
    for poll in made:
        intake.accept("bench", poll, stopping=stopping)
        if int(rows) < MAX_BATCH_ROWS:
            intake.flush()
    intake.flush()
    seconds = time.perf_counter() - started
    after = usage(os.getpid())
    counts = store.counts()
    print(counts.sampled, seconds, after.cpu_s - before.cpu_s, after.peak_mb)


if __name__ == "__main__":
    main()
