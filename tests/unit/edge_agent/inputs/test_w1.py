"""1-Wire thermometers: what their file says, and what only looks like a temperature."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.inputs.w1.input import W1Input, W1Settings
from edge_agent.inputs.w1.sensor import NoReadingError, temperature
from headrace.clock import ManualClock
from headrace.errors import InputError
from tests.unit.edge_agent.inputs import trees

ID = "28-0316a2791fff"


def opened(settings: W1Settings, clock: ManualClock | None = None) -> W1Input:
    source = W1Input(settings)
    source.open(clock=clock or ManualClock(), checkpoint=None)
    return source


def test_a_sensor_is_a_series_in_degrees_celsius(tmp_path: Path) -> None:
    """By its id, or the name of its place; negative degrees too."""
    trees.w1(tmp_path, ID, trees.GOOD_SLAVE)
    trees.w1(tmp_path, "10-000802b4ba0e", trees.GOOD_SLAVE.replace("t=23125", "t=-5062"))
    trees.w1(tmp_path, "26-000000aa", "no thermometer")
    poll = opened(W1Settings(sysfs=tmp_path, names={ID: "boiler/flow"}, prefix="h/")).poll()
    assert {(run.name, run.values[0], run.unit) for run in poll.runs} == {
        ("h/boiler/flow/temperature", 23.125, "Cel"),
        ("h/10-000802b4ba0e/temperature", -5.062, "Cel"),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (trees.BAD_CRC, "crc"),
        (trees.SHORTED, "crc"),
        (trees.POWER_ON, "power_on"),
        ("85000\n", "power_on"),
        (trees.GOOD_SLAVE.replace("23125", "-127000"), "unreadable"),
        ("", "unreadable"),
        ("12 34", "unreadable"),
        ("crc=57 YES t=1", "unreadable"),
    ],
)
def test_what_only_looks_like_a_temperature_is_dropped(
    tmp_path: Path, text: str, reason: str
) -> None:
    """With a reason of its own; the file of a sensor without power may also be empty."""
    with pytest.raises(NoReadingError) as caught:
        temperature(text, before=20.0)
    assert caught.value.reason == reason
    trees.w1(tmp_path, ID, text)
    poll = opened(W1Settings(sysfs=tmp_path)).poll()
    assert (poll.runs, dict(poll.dropped)) == ([], {reason: 1})


def test_85_degrees_are_real_where_it_was_nearly_as_hot_before() -> None:
    """A boiler passes 85.0 on its way; a sensor that was at 20 a moment ago does not."""
    assert temperature(trees.POWER_ON, before=84.5) == 85.0
    assert temperature("85000", before=88.0) == 85.0


def test_a_kernel_without_w1_slave_has_temperature(tmp_path: Path) -> None:
    """Its driver checks the checksum itself."""
    folder = trees.w1(tmp_path, ID, "")
    (folder / "w1_slave").unlink()
    (folder / "temperature").write_text("19500\n", encoding="utf-8")
    assert opened(W1Settings(sysfs=tmp_path)).poll().runs[0].values[0] == 19.5


def test_a_named_sensor_that_is_missing_is_counted(tmp_path: Path) -> None:
    """Unnamed ones are what is on the bus; an empty bus is a failure."""
    trees.w1(tmp_path, ID, trees.GOOD_SLAVE)
    poll = opened(W1Settings(sysfs=tmp_path, sensors=(ID, "28-00000000beef"))).poll()
    assert len(poll.runs) == 1
    assert dict(poll.dropped) == {"unreadable": 1}
    with pytest.raises(InputError, match="w1-gpio"):
        opened(W1Settings(sysfs=tmp_path / "none")).poll()


class SlowBus(ManualClock):
    """A clock that a conversion moves by 0.75 s: the input asks for the time after each."""

    def now_us(self) -> int:
        self.advance(0.75)
        return super().now_us()


def test_a_slow_bus_is_read_in_turn(tmp_path: Path) -> None:
    """A poll ends at its interval; the next begins with the sensor that was left."""
    for number in range(5):
        trees.w1(tmp_path, f"28-00000000000{number}", trees.GOOD_SLAVE)
    source = opened(W1Settings(sysfs=tmp_path, interval_s=1.5), SlowBus())
    turns = ["".join(run.name[14] for run in source.poll().runs) for _ in range(5)]
    assert turns == ["01", "23", "40", "12", "34"]


def test_two_sensors_of_one_name_are_a_fault() -> None:
    """Their histories would be one."""
    assert W1Settings(names={ID: "a", "28-1": "a"}).problems() == [
        ("names", "'a' is the name of two sensors")
    ]
