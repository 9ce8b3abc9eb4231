"""SenML units to Grafana's, and which series has which.

InfluxDB keeps no units, so a chart has to tell by the name: for the series of the inputs that come
with Headrace, and by a suffix (``_celsius``, ``_pa``, …) that others may use for theirs.
"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from edge_agent.inputs.simulated.pump import SERIES as PUMP_SERIES

#: Grafana's id of a unit; a SenML unit that it has no id for is shown as its symbol.
GRAFANA: Final = {
    "Cel": "celsius", "K": "kelvin", "Pa": "pressurepa", "hPa": "pressurehpa", "A": "amp", "mA": "mamp",
    "V": "volt", "mV": "mvolt", "W": "watt", "kW": "kwatt", "Wh": "watth", "kWh": "kwatth", "J": "joule",
    "Hz": "hertz", "1/min": "rotrpm", "m": "lengthm", "mm": "lengthmm", "m/s": "velocityms", "m/s2": "accMS2",
    "l": "litre", "m3": "m3", "m3/s": "flowcms", "l/s": "suffix: l/s", "%": "percent", "/": "percentunit",
    "%RH": "humidity", "%EL": "percent", "lx": "lux", "dB": "dB", "s": "s", "ms": "ms", "min": "m", "h": "h",
    "B": "decbytes", "KiB": "kbytes", "B/s": "Bps", "bit/s": "bps", "count": "short", "1/s": "cps",
    "deg": "degree", "ppm": "ppm", "ug/m3": "conμgm3", "Ohm": "ohm", "kg": "masskg", "N": "forceN",
}  # fmt: skip

#: Unit by the end of a series' name, as a regular expression.
_BY_NAME: Final = (
    *((name, unit) for name, unit in PUMP_SERIES),
    ("usage", "%"),
    ("(available|free)", "B"),
    ("(received|sent|read|written)", "B/s"),
    (r"temperature\/.*", "Cel"),
    (".*_(celsius|temperature)", "Cel"),
    (".*_pressure", "Pa"),
    (".*_humidity", "%RH"),
    (".*_voltage", "V"),
    (".*_current", "A"),
    (".*_power", "W"),
)


def grafana_unit(symbol: str) -> str:
    """Grafana's unit for a SenML symbol."""
    return GRAFANA.get(symbol, f"suffix: {symbol}")


def overrides() -> list[tuple[str, list[DynamicConfigValue]]]:
    """(pattern on a line's name, its unit); a later one wins, so the exact names come last."""
    return [
        (rf"/(^|[ \/]){name}$/", [DynamicConfigValue("unit", grafana_unit(unit))])
        for name, unit in reversed(_BY_NAME)
    ]
