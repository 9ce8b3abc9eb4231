"""Ages, counts and values as people read them. Pure; times are microseconds.

Numbers that stand under one another keep one form: an age has one unit, a count has thousands
separators, a value has four significant digits and an SI prefix where its unit takes one.
"""

from __future__ import annotations

import math
from typing import Final

from headrace.limits.console import CERTIFICATE_URGENT_DAYS
from headrace.limits.enrolment import CERTIFICATE_WARN_DAYS

SECOND_US: Final = 1_000_000
_DAY_US: Final = 86_400 * SECOND_US

#: What stands where nothing is known.
NOTHING: Final = "–"

_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))

#: SenML symbols that are written differently outside of SenML. A bare ratio or count has no unit.
_SYMBOLS: Final = {
    "Cel": "°C", "Ohm": "Ω", "deg": "°", "/": "", "count": "", "m2": "m²", "m3": "m³", "m/s2": "m/s²",
    "m/s3": "m/s³", "m3/s": "m³/s", "W/m2": "W/m²", "cd/m2": "cd/m²", "kg/m3": "kg/m³", "ug/m3": "µg/m³",
    "ug/l": "µg/l", "lat": "°", "lon": "°",
}  # fmt: skip

#: Units whose values span so many orders of magnitude that a prefix is easier to read than digits.
_PREFIXED: Final = frozenset({"B", "B/s", "bit", "bit/s", "Pa", "W", "J", "Hz", "VA", "var"})
_PREFIXES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_PREFIX_FROM: Final = 10_000


def unit_label(symbol: str) -> str:
    """A SenML unit as it is printed."""
    return _SYMBOLS.get(symbol, symbol)


def span(us: int) -> str:
    """A length of time in one unit: ``0.4 s``, ``12 s``, ``3 min``, ``2 h``, ``5 d``."""
    seconds = abs(us) / SECOND_US
    sign = "−" if us < 0 and seconds >= 0.05 else ""
    for length, unit in _STEPS:
        if seconds >= length:
            return f"{sign}{int(seconds // length)} {unit}"
    return f"{sign}{seconds:.1f} s" if seconds < 9.95 else f"{sign}{int(seconds)} s"


def ago(now_us: int, then_us: int) -> str:
    """When something happened: ``now``, ``3 s ago``; what lies ahead is a clock that is wrong."""
    if not then_us:
        return NOTHING
    age = now_us - then_us
    if age < 0:
        return "now" if age > -SECOND_US else f"in {span(-age)}"
    return "now" if age < SECOND_US else f"{span(age // SECOND_US * SECOND_US).replace('.0', '')} ago"  # fmt: skip


def lag(now_us: int, then_us: int) -> str:
    """How far the newest reading lies behind; negative where the device's clock is ahead."""
    return span(now_us - then_us) if then_us else NOTHING


def left(now_us: int, end_us: int) -> str:
    """How long something is good: ``84 d``, ``ended``; nothing where it has no end."""
    if not end_us:
        return NOTHING
    return span(end_us - now_us) if end_us > now_us else "ended"


def left_tone(now_us: int, end_us: int) -> str:
    """A month before a certificate ends it should have been renewed; in the last week somebody has to come."""
    days = (end_us - now_us) / _DAY_US
    if not end_us or days >= CERTIFICATE_WARN_DAYS:
        return "quiet"
    return "warn" if days >= CERTIFICATE_URGENT_DAYS else "bad"


def count(number: int | None) -> str:
    """``12,345``."""
    return NOTHING if number is None else f"{number:,}"


def number(value: float) -> str:
    """Four significant digits, thousands separated, exponents only where digits would not do."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-4:
        return f"{value:.3e}"
    if size >= 1_000:
        return f"{value:,.0f}"
    text = f"{value:.4g}"
    return text if "e" not in text else f"{value:.6f}".rstrip("0")


def value(amount: float | None, symbol: str) -> str:
    """A value with its unit: ``21.5 °C``, ``152.3 kPa``, ``3.1 GB``."""
    if amount is None:
        return NOTHING
    unit = unit_label(symbol)
    if symbol in _PREFIXED and abs(amount) >= _PREFIX_FROM:
        for size, prefix in _PREFIXES:
            if abs(amount) >= size:
                return f"{amount / size:.4g} {prefix}{unit}"
    return f"{number(amount)} {unit}".rstrip()
