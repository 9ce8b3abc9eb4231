"""A /sys as the kernel shows it: files in device folders, and the buses' links to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

GOOD_SLAVE = "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n"
BAD_CRC = GOOD_SLAVE.replace("YES", "NO")
POWER_ON = "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n"
SHORTED = "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n"

BME280 = {
    "name": "bme280", "in_temp_input": "21230", "in_pressure_input": "101.325",
    "in_humidityrelative_input": "45500", "in_temp_oversampling_ratio": "1",
}  # fmt: skip
ADS1015 = {
    "name": "ads1015", "in_voltage0_raw": "1000", "in_voltage0_scale": "3.0",
    "in_voltage1_raw": "10", "in_voltage_scale": "2.0", "in_voltage1_label": "tank level",
    "in_voltage0-voltage1_raw": "4", "in_voltage-voltage_scale": "1.5",
}  # fmt: skip
MPU6050 = {
    "name": "mpu6050", "in_accel_x_raw": "1024", "in_accel_scale": "0.000598",
    "in_anglvel_z_raw": "-100", "in_anglvel_scale": "0.001064724", "in_temp_raw": "-2000",
    "in_temp_offset": "12420", "in_temp_scale": "2.941176", "in_mount_matrix": "1, 0, 0",
    "in_magn_y_raw": "5000", "in_magn_y_scale": "0.001", "in_proximity_raw": "77",
}  # fmt: skip
BOARD = {
    "name": "nct6775", "in0_input": "1208", "in0_label": "Vcore", "fan1_input": "1250",
    "fan1_label": "fan", "fan2_input": "900", "fan2_label": "fan", "temp1_input": "41500",
    "temp1_label": "Core 0", "temp2_input": "0", "temp2_fault": "1", "power1_average": "12500000",
    "curr1_input": "350", "fan1_min": "0",
}  # fmt: skip


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with small files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n", encoding="utf-8")
    return folder


def iio(root: Path, number: int, place: str, files: Mapping[str, str]) -> Path:
    """An IIO device on I2C, linked from its bus."""
    real = write(root / "devices/platform/soc/i2c-1" / place / f"iio:device{number}", files)
    return _link(root / "bus/iio/devices" / real.name, real)


def hwmon(root: Path, number: int, place: str, files: Mapping[str, str]) -> Path:
    """A hwmon chip, linked from its class, with a link to the device that it belongs to."""
    parent = root / "devices/platform" / place
    real = write(parent / "hwmon" / f"hwmon{number}", files)
    (real / "device").symlink_to(parent)
    return _link(root / "class/hwmon" / real.name, real)


def w1(root: Path, sensor: str, slave: str) -> Path:
    """A 1-Wire thermometer."""
    real = write(root / "devices/w1_bus_master1" / sensor, {"w1_slave": slave.rstrip()})
    return _link(root / "bus/w1/devices" / sensor, real)


def _link(link: Path, real: Path) -> Path:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(real)
    return real
