"""Faults that a simulated pump can develop, each growing from nothing to full within a ramp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

FaultName = Literal["none", "bearing_wear", "cavitation", "blockage", "sensor_stuck"]
FAULTS: Final[tuple[FaultName, ...]] = (
    "none", "bearing_wear", "cavitation", "blockage", "sensor_stuck",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Which fault, when it starts (seconds of simulated time) and how long it takes to grow."""

    name: FaultName = "none"
    after_s: float = 0.0
    ramp_s: float = 10.0

    def severity(self, name: FaultName, elapsed_s: float) -> float:
        """0 (healthy) to 1 (fully developed) for the fault of that name."""
        if name != self.name or elapsed_s < self.after_s:
            return 0.0
        if self.ramp_s <= 0.0:
            return 1.0
        return min(1.0, (elapsed_s - self.after_s) / self.ramp_s)
