"""The physics of a small water pump: eight series that hang together as real ones do.

A demand that wanders slowly sets the speed; the affinity laws scale the pump curve with it; the
working point is where pump curve and system curve meet; hydraulic power and efficiency give the
current, losses heat the motor, and the distance from the best efficiency point shakes the bearings.
So a model that has learnt how the eight belong together notices a fault that no single limit shows.

Everything follows from the seed: two pumps with the same seed and rate give equal numbers. All
pumps share their constants, so that one model fits every seed; only demand and noise differ.
"""

from __future__ import annotations

import math
import random
from typing import Final

from edge_agent.inputs.simulated.faults import Fault

#: Series names and SenML units, in the order of ``Pump.step`` and of the CSV that ``simulate`` writes.
#: The shipped model is trained on these names: they do not change.
SERIES: Final[tuple[tuple[str, str], ...]] = (
    ("flow", "l/s"),
    ("inlet_pressure", "Pa"),
    ("outlet_pressure", "Pa"),
    ("current", "A"),
    ("voltage", "V"),
    ("vibration", "m/s2"),
    ("motor_temperature", "Cel"),
    ("speed", "1/min"),
)
NAMES: Final = tuple(name for name, _ in SERIES)

#: Decimals of each series: what a transmitter of that kind resolves. Noise in the 15th digit would
#: only be there to be compressed.
DECIMALS: Final = (3, -1, -1, 3, 1, 3, 2, 1)

RATED_SPEED: Final = 2_900.0  # 1/min
SHUT_OFF_HEAD: Final = 42.0  # m at rated speed and no flow
CURVE: Final = 0.62  # m per (l/s)²: how the pump's head falls with flow
STATIC_HEAD: Final = 8.0  # m: what the water has to be lifted
PIPE: Final = 0.55  # m per (l/s)²: friction of the pipe behind it
BEST_FLOW: Final = 5.4  # l/s at rated speed: the best efficiency point
BEST_EFFICIENCY: Final = 0.68
PASCAL_PER_METRE: Final = 9_810.0
SUPPLY_PRESSURE: Final = 152_000.0  # Pa in front of a pump that stands still
WARM_UP_S: Final = 90.0  # time constant of the motor's temperature
AMBIENT: Final = 24.0  # Cel


class Pump:
    """One pump; ``step`` moves it on by a fixed time and gives its eight values."""

    def __init__(self, *, seed: int, step_s: float, fault: Fault | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311  (noise, not secrets)
        self._step_s = step_s
        self._fault = fault or Fault()
        self._elapsed = 0.0
        self._phases = [self._random.uniform(0.0, math.tau) for _ in range(4)]
        self._drift = 0.0
        self._temperature: float | None = None
        self._stuck_flow: float | None = None

    def step(self) -> tuple[float, ...]:
        """The next eight values, in the order of ``SERIES``."""
        elapsed = self._elapsed
        self._elapsed += self._step_s
        noise = self._random.gauss
        wear = self._fault.severity("bearing_wear", elapsed)
        bubbles = self._fault.severity("cavitation", elapsed)
        blockage = self._fault.severity("blockage", elapsed)

        ratio = self._speed_ratio(elapsed)
        flow, head = _working_point(ratio, PIPE * (1.0 + 6.0 * blockage))
        flow *= 1.0 - 0.18 * bubbles + noise(0.0, 0.07) * bubbles
        head *= 1.0 - 0.22 * bubbles
        power = PASCAL_PER_METRE * flow * head / 1_000.0 / _efficiency(flow, ratio)
        power *= 1.0 + 0.14 * wear
        inlet = SUPPLY_PRESSURE - 900.0 * flow**2 - 42_000.0 * bubbles
        voltage = 400.0 + 3.0 * math.sin(elapsed / 611.0 + self._phases[3]) + noise(0.0, 0.6)
        current = 1.2 + power / (math.sqrt(3.0) * voltage * 0.82)
        values = (
            flow + noise(0.0, 0.03),
            inlet + noise(0.0, 350.0),
            inlet + PASCAL_PER_METRE * head + noise(0.0, 900.0) * (1.0 + 3.0 * bubbles),
            current + noise(0.0, 0.02),
            voltage,
            self._vibration(ratio, flow, wear, bubbles),
            self._motor_temperature(power, wear),
            RATED_SPEED * ratio + noise(0.0, 2.0),
        )
        resolved = tuple(map(round, values, DECIMALS))
        return self._with_stuck_flow(resolved, elapsed)

    def _speed_ratio(self, elapsed: float) -> float:
        """The demand: two slow waves, one faster, and a wandering part; 0.78 to 1.02 of full speed."""
        first, second, third, _ = self._phases
        self._drift += self._random.gauss(0.0, 0.004) * math.sqrt(self._step_s)
        self._drift *= 1.0 - min(1.0, self._step_s / 120.0)
        waves = (
            0.06 * math.sin(elapsed / 97.0 + first)
            + 0.03 * math.sin(elapsed / 31.0 + second)
            + 0.01 * math.sin(elapsed / 7.3 + third)
        )
        return min(1.02, max(0.78, 0.90 + waves + self._drift))

    def _vibration(self, ratio: float, flow: float, wear: float, bubbles: float) -> float:
        off_best = abs(flow / (BEST_FLOW * ratio) - 1.0)
        shake = 1.6 * ratio**2 + 2.2 * off_best + 4.5 * wear + 3.0 * bubbles
        return shake * (1.0 + self._random.gauss(0.0, 0.04 + 0.08 * bubbles))

    def _motor_temperature(self, power: float, wear: float) -> float:
        target = AMBIENT + power * 0.0095 + 22.0 * wear
        if self._temperature is None:
            self._temperature = target
        share = 1.0 - math.exp(-self._step_s / WARM_UP_S)
        self._temperature += (target - self._temperature) * share
        return self._temperature + self._random.gauss(0.0, 0.08)

    def _with_stuck_flow(self, values: tuple[float, ...], elapsed: float) -> tuple[float, ...]:
        if not self._fault.severity("sensor_stuck", elapsed):
            return values
        if self._stuck_flow is None:
            self._stuck_flow = values[0]
        return (self._stuck_flow, *values[1:])


def _working_point(ratio: float, pipe: float) -> tuple[float, float]:
    """Flow (l/s) and head (m) where pump curve and system curve meet."""
    lift = max(0.0, SHUT_OFF_HEAD * ratio**2 - STATIC_HEAD)
    flow = math.sqrt(lift / (CURVE + pipe))
    return flow, STATIC_HEAD + pipe * flow**2


def _efficiency(flow: float, ratio: float) -> float:
    """A parabola round the best efficiency point, which moves with the speed."""
    return max(0.25, BEST_EFFICIENCY * (1.0 - 0.6 * (flow / (BEST_FLOW * ratio) - 1.0) ** 2))
