"""Units by their SenML symbols (IANA registry "SenML Units", RFC 8428, RFC 8798 and additions).

A unit travels as its symbol and is never converted on the way; ``to_base`` exists for readers that
compare series of different units. Unknown symbols are carried along: a device may be newer than
this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: value in ``base`` = scale × value + offset."""

    symbol: str
    description: str
    base: str
    scale: float = 1.0
    offset: float = 0.0


_PRIMARY: Final = {
    "m": "metre", "kg": "kilogram", "g": "gram", "s": "second", "A": "ampere", "K": "kelvin",
    "cd": "candela", "mol": "mole", "Hz": "hertz", "rad": "radian", "sr": "steradian", "N": "newton",
    "Pa": "pascal", "J": "joule", "W": "watt", "C": "coulomb", "V": "volt", "F": "farad", "Ohm": "ohm",
    "S": "siemens", "Wb": "weber", "T": "tesla", "H": "henry", "Cel": "degrees Celsius", "lm": "lumen",
    "lx": "lux", "Bq": "becquerel", "Gy": "gray", "Sv": "sievert", "kat": "katal", "m2": "square metre",
    "m3": "cubic metre", "l": "litre", "m/s": "metre per second", "m/s2": "metre per square second",
    "m3/s": "cubic metre per second", "l/s": "litre per second", "W/m2": "watt per square metre",
    "cd/m2": "candela per square metre", "bit": "bit", "bit/s": "bit per second", "lat": "degrees latitude",
    "lon": "degrees longitude", "pH": "pH value", "dB": "decibel", "dBW": "decibel relative to 1 W",
    "Bspl": "bel, sound pressure level", "count": "counter value", "/": "ratio, 1 is all", "%": "percent, 100 is all",
    "%RH": "relative humidity", "%EL": "remaining battery, percent", "EL": "remaining battery, seconds",
    "1/s": "events per second", "1/min": "events per minute", "beat/min": "heart rate", "beats": "heart beats",
    "S/m": "siemens per metre", "B": "byte", "VA": "volt-ampere", "VAs": "volt-ampere second",
    "var": "volt-ampere reactive", "vars": "volt-ampere reactive second", "J/m": "joule per metre",
    "kg/m3": "kilogram per cubic metre", "deg": "degree of angle", "NTU": "nephelometric turbidity unit",
    "rgb": "sRGB colour value", "m/s3": "metre per cubic second",
}  # fmt: skip

_SECONDARY: Final = {
    "ms": ("s", 1e-3, 0.0), "min": ("s", 60.0, 0.0), "h": ("s", 3600.0, 0.0), "MHz": ("Hz", 1e6, 0.0),
    "kW": ("W", 1e3, 0.0), "kVA": ("VA", 1e3, 0.0), "kvar": ("var", 1e3, 0.0), "Ah": ("C", 3600.0, 0.0),
    "Wh": ("J", 3600.0, 0.0), "kWh": ("J", 3.6e6, 0.0), "varh": ("vars", 3600.0, 0.0),
    "kvarh": ("vars", 3.6e6, 0.0), "kVAh": ("VAs", 3.6e6, 0.0), "Wh/km": ("J/m", 3.6, 0.0),
    "KiB": ("B", 1024.0, 0.0), "GB": ("B", 1e9, 0.0), "Mbit/s": ("bit/s", 1e6, 0.0), "B/s": ("bit/s", 8.0, 0.0),
    "MB/s": ("bit/s", 8e6, 0.0), "mV": ("V", 1e-3, 0.0), "mA": ("A", 1e-3, 0.0), "dBm": ("dBW", 1.0, -30.0),
    "ug/m3": ("kg/m3", 1e-9, 0.0), "mm/h": ("m/s", 1e-3 / 3600.0, 0.0), "m/h": ("m/s", 1.0 / 3600.0, 0.0),
    "ppm": ("/", 1e-6, 0.0), "/100": ("/", 1e-2, 0.0), "/1000": ("/", 1e-3, 0.0), "hPa": ("Pa", 1e2, 0.0),
    "mm": ("m", 1e-3, 0.0), "cm": ("m", 1e-2, 0.0), "km": ("m", 1e3, 0.0), "km/h": ("m/s", 1.0 / 3.6, 0.0),
    "ppb": ("/", 1e-9, 0.0), "ppt": ("/", 1e-12, 0.0), "VAh": ("VAs", 3600.0, 0.0), "mg/l": ("kg/m3", 1e-3, 0.0),
    "ug/l": ("kg/m3", 1e-6, 0.0), "g/l": ("kg/m3", 1.0, 0.0),
}  # fmt: skip

UNITS: Final[dict[str, Unit]] = {
    **{symbol: Unit(symbol, text, symbol) for symbol, text in _PRIMARY.items()},
    **{
        symbol: Unit(symbol, f"{scale:g} {base}", base, scale, offset)
        for symbol, (base, scale, offset) in _SECONDARY.items()
    },
}


def is_registered(symbol: str) -> bool:
    """Whether the symbol stands in the registry."""
    return symbol in UNITS


def to_base(value: float, symbol: str) -> tuple[float, str]:
    """The value in its base unit, and that unit; unknown symbols are their own base."""
    unit = UNITS.get(symbol)
    if unit is None:
        return value, symbol
    return value * unit.scale + unit.offset, unit.base
