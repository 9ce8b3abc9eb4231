"""The simulated pump: deterministic, physically coupled, and its faults show."""

from __future__ import annotations

import csv
import io
import itertools
import statistics

import pytest

from edge_agent.cli import FAULT_CHOICES
from edge_agent.inputs.simulated import SimulatedInput, SimulatedSettings
from edge_agent.inputs.simulated.faults import FAULTS, Fault, FaultName
from edge_agent.inputs.simulated.input import pump_columns
from edge_agent.inputs.simulated.pump import NAMES, Pump
from edge_agent.inputs.simulated.recording import write_recording
from headrace.clock import ManualClock
from headrace.units import is_registered


def columns(fault: FaultName = "none", seed: int = 1, steps: int = 4_000) -> dict[str, list[float]]:
    pump = Pump(seed=seed, step_s=1.0, fault=Fault(fault, ramp_s=0.0))
    return {
        name: list(values) for name, values in zip(NAMES, pump_columns(pump, steps), strict=True)
    }


def mean(values: list[float]) -> float:
    return statistics.fmean(values)


def test_the_series_names_do_not_change() -> None:
    """The shipped model is trained on them."""
    assert NAMES == (
        "flow", "inlet_pressure", "outlet_pressure", "current", "voltage", "vibration",
        "motor_temperature", "speed",
    )  # fmt: skip


def test_equal_seeds_give_equal_numbers_and_others_do_not() -> None:
    """A demo can be repeated."""
    assert columns(steps=50) == columns(steps=50)
    assert columns(steps=50) != columns(seed=2, steps=50)


def test_the_series_belong_together() -> None:
    """More speed is more flow, more flow is less pressure at the inlet and more current."""
    pump = columns()
    assert statistics.correlation(pump["speed"], pump["flow"]) > 0.9
    assert statistics.correlation(pump["flow"], pump["inlet_pressure"]) < -0.9
    assert statistics.correlation(pump["flow"], pump["current"]) > 0.9


@pytest.mark.parametrize(
    ("fault", "series", "factor"),
    [
        ("bearing_wear", "vibration", 2.5),
        ("bearing_wear", "motor_temperature", 1.3),
        ("cavitation", "inlet_pressure", 0.8),
        ("cavitation", "vibration", 2.0),
        ("blockage", "flow", 0.6),
        ("blockage", "outlet_pressure", 1.2),
    ],
)
def test_a_fault_moves_what_it_should(fault: FaultName, series: str, factor: float) -> None:
    """Each by more than the pump ever moves by itself."""
    ratio = mean(columns(fault)[series]) / mean(columns()[series])
    assert ratio > factor if factor > 1 else ratio < factor


def test_a_stuck_sensor_stands_still_while_the_rest_moves() -> None:
    """Only the combination gives it away."""
    pump = columns("sensor_stuck")
    assert len(set(pump["flow"])) == 1
    assert statistics.stdev(pump["speed"]) > 50


def test_a_fault_grows_from_its_start() -> None:
    """Nothing before, half after half the ramp, all after it."""
    fault = Fault("cavitation", after_s=10.0, ramp_s=4.0)
    assert [fault.severity("cavitation", at) for at in (9.9, 10.0, 12.0, 14.0, 99.0)] == [
        0.0, 0.0, 0.5, 1.0, 1.0,
    ]  # fmt: skip
    assert fault.severity("blockage", 99.0) == 0.0


def test_a_poll_gives_the_steps_that_are_due_with_one_time_each() -> None:
    """All eight series share the times, and late polls catch up."""
    clock = ManualClock()
    source = SimulatedInput(SimulatedSettings(rate_hz=10.0))
    source.open(clock=clock, checkpoint=None)
    assert source.poll().rows == 8
    clock.advance(0.55)
    poll = source.poll()
    assert [run.rows for run in poll.runs] == [5] * 8
    assert len({tuple(run.times) for run in poll.runs}) == 1
    times = poll.runs[0].times
    assert [b - a for a, b in itertools.pairwise(times)] == [100_000] * 4
    assert times[-1] <= clock.now_us()
    assert source.poll().rows == 0


def test_times_follow_a_clock_that_is_set() -> None:
    """A device that boots in 1970 and learns the time goes on with the right times."""
    clock = ManualClock(1_000_000)
    source = SimulatedInput(SimulatedSettings(rate_hz=1.0))
    source.open(clock=clock, checkpoint=None)
    source.poll()
    clock.step_wall(1.7e9)
    clock.advance(1.0)
    assert abs(source.poll().runs[0].times[-1] - clock.now_us()) < 10


def test_units_are_senml_and_names_take_the_prefix() -> None:
    """What travels is a registered symbol."""
    source = SimulatedInput(SimulatedSettings(prefix="p2/"))
    source.open(clock=ManualClock(), checkpoint=None)
    poll = source.poll()
    assert [run.name for run in poll.runs] == ["p2/" + name for name in NAMES]
    assert all(is_registered(run.unit) for run in poll.runs)


def test_a_recording_has_the_time_and_the_eight_series() -> None:
    """What the model's training script reads."""
    out = io.StringIO()
    write_recording(out, rows=3, seed=1, hz=2.0, fault=Fault())
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert list(rows[0]) == ["time", *NAMES]
    assert [row["time"][:23] for row in rows][:2] == [
        "2026-01-01T00:00:00+00:",
        "2026-01-01T00:00:00.500",
    ]


def test_the_command_offers_every_fault() -> None:
    """The list is copied there so that --help stays fast."""
    assert FAULT_CHOICES == FAULTS
