r"""What the kernel's file of a 1-Wire thermometer says.

``w1_slave`` holds the nine bytes of the sensor's memory twice, the verdict on their checksum, and the
temperature in thousandths of a degree::

    50 05 4b 46 7f ff 0c 10 1c : crc=1c YES
    50 05 4b 46 7f ff 0c 10 1c t=85000

Three readings look sound and are none:

- A short-circuited data line reads as zeros, whose checksum is zero too: ``crc=00 YES``, 0 degrees.
- A sensor that has lost its supply for a moment starts with 85.0 degrees and says so until it has
  converted. 85.0 counts only within ``POWER_ON_NEAR`` of the sensor's last reading. (Its byte 6 would
  tell the two apart in chips of the first maker only; most that are sold are clones.)
- Values beyond what the chip can measure (-55 to 125 degrees).
"""

from __future__ import annotations

import re
from typing import Final

#: 1-Wire family codes of thermometers: DS18S20, DS1822, DS18B20, DS1825, DS28EA00.
FAMILIES: Final = ("10", "22", "28", "3b", "42")

LOWEST: Final = -55.0
HIGHEST: Final = 125.0
POWER_ON: Final = 85.0
POWER_ON_NEAR: Final = 5.0

_SLAVE: Final = re.compile(
    r"(?P<bytes>(?:[0-9a-f]{2} ){9}): crc=(?P<crc>[0-9a-f]{2}) (?P<verdict>YES|NO)\s+"
    r"(?:[0-9a-f]{2} ){9}t=(?P<t>-?\d+)"
)


class NoReadingError(ValueError):
    """The file holds no temperature; ``reason`` is the label of the counter."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def temperature(text: str, *, before: float | None) -> float:
    """Degrees Celsius from the text of ``w1_slave`` or of ``temperature``.

    Args:
        before: the sensor's last reading.

    Raises:
        NoReadingError: there is none in it.
    """
    value = _slave(text) if "crc=" in text else _plain(text)
    if value == POWER_ON and (before is None or abs(before - value) > POWER_ON_NEAR):
        raise NoReadingError(
            "power_on", "85.0 is what it says after a loss of power; check its supply and pull-up"
        )
    if not LOWEST <= value <= HIGHEST:
        raise NoReadingError("unreadable", f"{value} Cel is beyond what the chip can measure")
    return value


def _slave(text: str) -> float:
    match = _SLAVE.match(text)
    if match is None:
        raise NoReadingError("unreadable", f"expected two lines of nine bytes, got {text[:80]!r}")
    if match["verdict"] != "YES":
        raise NoReadingError(
            "crc", "the checksum is wrong; check cable length and pull-up resistor"
        )
    if set(match["bytes"].split()) == {"00"}:
        raise NoReadingError("crc", "all bytes are zero; is the data line short-circuited?")
    return int(match["t"]) / 1_000


def _plain(text: str) -> float:
    """``temperature``, which newer kernels have: they check the checksum themselves."""
    try:
        return int(text) / 1_000
    except ValueError:
        raise NoReadingError("unreadable", f"expected a number, got {text[:80]!r}") from None
