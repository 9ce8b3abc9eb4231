"""The ``simulated`` input: as many steps of the pump as have become due since the last poll."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Final

from msgspec import Meta

from edge_agent.inputs.port import Input
from edge_agent.inputs.simulated.faults import Fault, FaultName
from edge_agent.inputs.simulated.pump import SERIES, Pump
from edge_agent.readings import Poll, Run
from headrace.clock import Clock
from headrace.limits.inputs import MAX_POLL_ROWS

#: A step of the wall clock of more than this moves the times of the readings with it.
CLOCK_STEP_US: Final = 1_000_000
MAX_STEPS: Final = MAX_POLL_ROWS // len(SERIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSettings:
    """``[[inputs]] plugin = "simulated"``."""

    rate_hz: Annotated[float, Meta(gt=0, le=10_000)] = 1.0
    interval_s: Annotated[float, Meta(gt=0, le=3_600)] = 0.25
    seed: int = 1
    prefix: Annotated[str, Meta(max_length=200)] = ""
    fault: FaultName = "none"
    fault_after_s: Annotated[float, Meta(ge=0)] = 0.0
    fault_ramp_s: Annotated[float, Meta(ge=0)] = 10.0


class SimulatedInput(Input):
    """A pump whose eight series share one time per step."""

    def __init__(self, settings: SimulatedSettings) -> None:
        # Polling more often than the pump steps would wake the machine for nothing.
        self.interval_s = max(settings.interval_s, min(1.0 / settings.rate_hz, 1.0))
        self._period_us = 1_000_000.0 / settings.rate_hz
        self._names = [(settings.prefix + name, unit) for name, unit in SERIES]
        fault = Fault(settings.fault, settings.fault_after_s, settings.fault_ramp_s)
        self._pump = Pump(seed=settings.seed, step_s=1.0 / settings.rate_hz, fault=fault)
        self._steps = 0

    def open(self, *, clock: Clock, checkpoint: str | None) -> None:
        """The pump starts now; a simulation has nothing to go on from."""
        super().open(clock=clock, checkpoint=checkpoint)
        self._started = clock.monotonic()
        self._wall_offset = self._offset()

    def poll(self) -> Poll:
        elapsed_us = (self.clock.monotonic() - self._started) * 1e6
        due = int(elapsed_us / self._period_us) + 1 - self._steps
        steps = min(due, MAX_STEPS)
        if steps <= 0:
            return Poll()
        if abs(self._offset() - self._wall_offset) > CLOCK_STEP_US:
            self._wall_offset = self._offset()
        base = self._wall_offset + self._started * 1e6
        times = array(
            "q",
            (int(base + n * self._period_us) for n in range(self._steps, self._steps + steps)),
        )
        self._steps += steps
        columns = pump_columns(self._pump, steps)
        runs = [
            Run(name, times, values, unit)
            for (name, unit), values in zip(self._names, columns, strict=True)
        ]
        return Poll(runs, more=due > steps)

    def _offset(self) -> float:
        return self.clock.now_us() - self.clock.monotonic() * 1e6


def pump_columns(pump: Pump, steps: int) -> Iterator[array[float]]:
    """``steps`` steps as one array per series."""
    flat = array("d", chain.from_iterable(pump.step() for _ in range(steps)))
    width = len(SERIES)
    return (flat[column::width] for column in range(width))
