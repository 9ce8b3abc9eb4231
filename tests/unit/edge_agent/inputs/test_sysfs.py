"""Sensors of the kernel: iio and hwmon, on trees like those of real boards."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edge_agent.inputs.hwmon.input import HwmonInput, HwmonSettings
from edge_agent.inputs.iio.input import IioInput, IioSettings
from edge_agent.inputs.port import Input
from edge_agent.readings import Poll
from headrace.clock import ManualClock
from headrace.errors import InputError
from headrace.limits.inputs import SYSFS_RESCAN_S
from tests.unit.edge_agent.inputs import trees


def opened(source: Input, clock: ManualClock | None = None) -> Input:
    source.open(clock=clock or ManualClock(), checkpoint=None)
    return source


def values(poll: Poll) -> dict[str, tuple[float, str]]:
    return {run.name: (pytest.approx(run.values[0], rel=1e-9), run.unit) for run in poll.runs}


def test_iio_channels_are_read_in_senml_units(tmp_path: Path) -> None:
    """Milli-degrees, kilopascal and milli-percent become Cel, Pa and %RH."""
    trees.iio(tmp_path, 0, "1-0076", trees.BME280)
    poll = opened(IioInput(IioSettings(sysfs=tmp_path))).poll()
    assert values(poll) == {
        "bme280/temp": (21.23, "Cel"),
        "bme280/pressure": (101_325.0, "Pa"),
        "bme280/humidityrelative": (45.5, "%RH"),
    }
    assert not poll.dropped


def test_iio_raw_numbers_take_the_closest_scale_and_offset(tmp_path: Path) -> None:
    """Own, shared by type, by differential pairs; labels are names; without a scale no unit."""
    trees.iio(tmp_path, 0, "1-0048", trees.ADS1015)
    trees.iio(tmp_path, 1, "1-0068", trees.MPU6050)
    assert values(opened(IioInput(IioSettings(sysfs=tmp_path))).poll()) == {
        "ads1015/voltage0": (3.0, "V"),
        "ads1015/tank_level": (0.020, "V"),
        "ads1015/voltage0-voltage1": (0.006, "V"),
        "mpu6050/accel_x": (1024 * 0.000598, "m/s2"),
        "mpu6050/anglvel_z": (-0.1064724, "rad/s"),
        "mpu6050/temp": ((12_420 - 2_000) * 2.941176e-3, "Cel"),
        "mpu6050/magn_y": (5e-4, "T"),
        "mpu6050/proximity": (77.0, ""),
    }


def test_two_devices_of_one_name_are_told_apart_by_their_place(tmp_path: Path) -> None:
    """Numbers change from boot to boot, places do not; a name may be given by place."""
    trees.iio(tmp_path, 0, "1-0077", trees.BME280)
    trees.iio(tmp_path, 1, "1-0076", trees.BME280)
    settings = IioSettings(sysfs=tmp_path, channels=("temp",), names={"1-0076": "greenhouse"})
    names = {run.name for run in opened(IioInput(settings)).poll().runs}
    assert names == {"bme280-1-0077/temp", "greenhouse/temp"}


def test_devices_and_channels_are_selected_by_name(tmp_path: Path) -> None:
    """By name, label or place, with patterns."""
    trees.iio(tmp_path, 0, "1-0076", trees.BME280)
    trees.iio(tmp_path, 1, "1-0048", {**trees.ADS1015, "label": "tank"})
    for wanted in ("tank", "ads*", "1-0048"):
        settings = IioSettings(
            sysfs=tmp_path, devices=(wanted,), channels=("voltage0",), prefix="a/"
        )
        assert [run.name for run in opened(IioInput(settings)).poll().runs] == ["a/tank/voltage0"]


def test_a_channel_that_says_no_number_is_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others go on; the recovery is said too."""
    folder = trees.iio(tmp_path, 0, "1-0076", {**trees.BME280, "in_temp_input": "N/A"})
    source = opened(IioInput(IioSettings(sysfs=tmp_path)))
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            poll = source.poll()
            assert dict(poll.dropped) == {"unreadable": 1}
            assert len(poll.runs) == 2
        (folder / "in_temp_input").write_text("20000\n", encoding="utf-8")
        assert len(source.poll().runs) == 3
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "bme280/temp" in lines[0]
    assert "N/A" in lines[0]
    assert "can be read again" in lines[1]


def test_no_device_is_a_failure_that_says_what_to_load(tmp_path: Path) -> None:
    """And one that is plugged in later is found at the next poll."""
    source = opened(IioInput(IioSettings(sysfs=tmp_path)))
    with pytest.raises(InputError, match="dtoverlay"):
        source.poll()
    trees.iio(tmp_path, 0, "1-0076", trees.BME280)
    assert len(source.poll().runs) == 3


def test_a_device_that_comes_later_is_found_within_a_minute(tmp_path: Path) -> None:
    """Looking costs time, so not every poll looks."""
    clock = ManualClock()
    trees.iio(tmp_path, 0, "1-0076", trees.BME280)
    source = opened(IioInput(IioSettings(sysfs=tmp_path)), clock)
    assert len(source.poll().runs) == 3
    trees.iio(tmp_path, 1, "1-0048", trees.ADS1015)
    assert len(source.poll().runs) == 3
    clock.advance(SYSFS_RESCAN_S)
    assert len(source.poll().runs) == 6


def test_a_device_that_goes_is_counted_once_and_then_not_there(tmp_path: Path) -> None:
    """Unplugged: its files are gone; the next poll looks anew."""
    folder = trees.iio(tmp_path, 0, "1-0076", trees.BME280)
    trees.iio(tmp_path, 1, "1-0048", trees.ADS1015)
    source = opened(IioInput(IioSettings(sysfs=tmp_path)))
    assert len(source.poll().runs) == 6
    for file in folder.iterdir():
        file.unlink()
    assert dict(source.poll().dropped) == {"unreadable": 3}
    poll = source.poll()
    assert len(poll.runs) == 3
    assert not poll.dropped


def test_hwmon_channels_are_read_in_senml_units(tmp_path: Path) -> None:
    """Labels are names unless two are alike; a sensor that reports a fault is dropped."""
    trees.hwmon(tmp_path, 0, "nct6775.656", trees.BOARD)
    poll = opened(HwmonInput(HwmonSettings(sysfs=tmp_path))).poll()
    assert values(poll) == {
        "nct6775/Vcore": (1.208, "V"),
        "nct6775/fan1": (1250.0, "1/min"),
        "nct6775/fan2": (900.0, "1/min"),
        "nct6775/Core_0": (41.5, "Cel"),
        "nct6775/power1": (12.5, "W"),
        "nct6775/curr1": (0.35, "A"),
    }
    assert dict(poll.dropped) == {"unreadable": 1}


def test_hwmon_kinds_leave_out_what_the_host_input_has(tmp_path: Path) -> None:
    """Temperatures are in the host input; chips of one name get their place."""
    trees.hwmon(
        tmp_path, 0, "1-0044", {"name": "sht4x", "temp1_input": "20000", "humidity1_input": "50000"}
    )
    trees.hwmon(tmp_path, 1, "1-0045", {"name": "sht4x", "humidity1_input": "60000"})
    settings = HwmonSettings(sysfs=tmp_path, kinds=("humidity",))
    assert values(opened(HwmonInput(settings)).poll()) == {
        "sht4x-1-0044/humidity1": (50.0, "%RH"),
        "sht4x-1-0045/humidity1": (60.0, "%RH"),
    }
