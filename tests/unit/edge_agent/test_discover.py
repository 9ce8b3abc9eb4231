"""edge-agent discover: what is here, with values, and as configuration."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli import main
from tests.unit.edge_agent.inputs import trees


def discover(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["discover", *map(str, arguments)])


@pytest.fixture
def machine(tmp_path: Path) -> list[str]:
    """The options that show a machine with everything on it."""
    sysfs, dev = tmp_path / "sys", tmp_path / "dev"
    trees.iio(sysfs, 0, "1-0076", {**trees.BME280, "in_temp_input": "broken"})
    trees.hwmon(sysfs, 0, "nct6775.656", trees.BOARD)
    trees.w1(sysfs, "28-0316a2791fff", trees.GOOD_SLAVE)
    trees.w1(sysfs, "28-000000000000", trees.SHORTED)
    trees.write(dev, {"ttyUSB0": "", "ttyAMA0": "", "ttyS0": ""})
    (dev / "serial/by-id").mkdir(parents=True)
    (dev / "serial/by-id/usb-FTDI_A1").symlink_to(dev / "ttyUSB0")
    return ["--sysfs", str(sysfs), "--dev", str(dev)]


def test_everything_is_listed_with_its_value(machine: list[str]) -> None:
    """For scripts; what cannot be read says why."""
    rows = {row["name"]: row for row in json.loads(discover("--json", *machine).stdout)}
    assert rows["bme280/pressure"]["value"] == pytest.approx(101_325)
    assert rows["bme280/temp"]["value"] is None
    assert "broken" in rows["bme280/temp"]["problem"]
    assert rows["nct6775/fan1"]["unit"] == "1/min"
    assert rows["28-0316a2791fff/temperature"]["value"] == 23.125
    assert "short-circuited" in rows["28-000000000000/temperature"]["problem"]
    assert rows["memory/usage"]["plugin"] == "host"
    ports = [Path(row["name"]).name for row in rows.values() if row["plugin"] == "serial"]
    assert ports == ["usb-FTDI_A1", "ttyAMA0"], "each port once, by the name that survives"


def test_for_people_it_is_a_line_each(machine: list[str]) -> None:
    """Grouped by input."""
    lines = discover(*machine).stdout.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")][:5] == [
        "host", "iio", "hwmon", "w1", "serial",
    ]  # fmt: skip
    assert any(line.split() == ["28-0316a2791fff/temperature", "23.125", "Cel"] for line in lines)


def test_its_configuration_is_accepted_as_it_is(machine: list[str], tmp_path: Path) -> None:
    """What the install script writes; hwmon leaves the temperatures to host."""
    fragment = discover("--toml", *machine).stdout
    tables = tomllib.loads(fragment)["inputs"]
    assert [table["plugin"] for table in tables] == ["host", "iio", "hwmon", "w1"]
    assert "temp" not in tables[2]["kinds"]
    config = tmp_path / "agent.toml"
    config.write_text(f'device = "pi"\n{fragment}', encoding="utf-8")
    result = CliRunner().invoke(main, ["check-config", "--config", str(config)])
    assert result.exit_code == 0, result.stderr


def test_a_machine_without_sensors_has_its_own_metrics(tmp_path: Path) -> None:
    """A virtual machine: no bus, no class, no serial port."""
    fragment = discover("--toml", "--sysfs", tmp_path, "--dev", tmp_path).stdout
    assert tomllib.loads(fragment) == {"inputs": [{"plugin": "host"}]}


def test_both_formats_at_once_are_refused() -> None:
    """Exit status 2."""
    assert discover("--toml", "--json").exit_code == 2
