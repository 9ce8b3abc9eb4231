"""Units of the keys that Zigbee2MQTT and Tasmota use, and values in units that SenML has not.

A ``voltage`` of Zigbee2MQTT is millivolt from a battery and volt from a plug, so it has no unit unless
the configuration gives one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: By the last part of a path, in small letters; a longer path goes before it.
UNITS: Final = {
    "temperature": "Cel", "device_temperature": "Cel", "dewpoint": "Cel", "humidity": "%RH",
    "soil_moisture": "%", "pressure": "hPa", "battery": "%EL", "illuminance": "lx",
    "illuminance_lux": "lx", "co2": "ppm", "carbondioxide": "ppm", "pm25": "ug/m3",
    "pm2.5": "ug/m3", "pm10": "ug/m3", "power": "W", "current": "A", "energy": "kWh",
    "energy/voltage": "V", "energy/total": "kWh", "energy/today": "kWh", "energy/yesterday": "kWh",
    "energy/apparentpower": "VA", "energy/reactivepower": "var", "energy/factor": "/",
    "ac_frequency": "Hz", "energy/frequency": "Hz", "power_factor": "/", "wifi/rssi": "%",
    "wifi/signal": "dBm", "uptimesec": "s", "heap": "KiB", "noise": "dB", "angle": "deg",
}  # fmt: skip

#: Tasmota says its units in the document: (scale, offset) to Cel and hPa.
_TEMPERATURES: Final = {"F": (5 / 9, -160 / 9), "C": (1.0, 0.0)}
_PRESSURES: Final = {"mmHg": (1.33322387415, 0.0), "inHg": (33.8638866667, 0.0), "hPa": (1.0, 0.0)}


def unit_of(key: str, own: Mapping[str, str]) -> str:
    """The unit of a value by its path; what the configuration says goes first."""
    path = key.lower()
    parts = path.split("/")
    tails = ["/".join(parts[place:]) for place in range(len(parts))]
    for table in ({name.lower(): unit for name, unit in own.items()}, UNITS):
        for tail in tails:
            if tail in table:
                return table[tail]
    # Multi-phase meters send arrays: energy/power/0.
    return unit_of(key.rsplit("/", 1)[0], own) if parts[-1].isdigit() and len(parts) > 1 else ""


def to_known(value: float, unit: str, document: Mapping[str, Any]) -> float:
    """A value in the unit that ``unit_of`` gives, from the one that the document names."""
    if unit == "Cel":
        scale, offset = _TEMPERATURES.get(str(document.get("TempUnit")), (1.0, 0.0))
    elif unit == "hPa":
        scale, offset = _PRESSURES.get(str(document.get("PressureUnit")), (1.0, 0.0))
    else:
        return value
    return value * scale + offset
