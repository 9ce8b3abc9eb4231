"""The files of an IIO device, and what their numbers mean.

``in_<type>[<index>][_<modifier>]_input`` holds a value in the unit of the kernel's ABI; ``_raw`` holds
one that ``(raw + offset) x scale`` turns into it. Scale and offset may stand beside the channel or be
shared by its type, its modifier or the whole device. The ABI's units (milli-degrees, kilopascal,
millivolt, gauss) become SenML's. A raw number without any scale has no unit, whatever its type.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge_agent.inputs.sysfs import Channel, Device, read_number, read_text, slug

_FILE: Final = re.compile(
    r"in_(?P<type>[a-z]+)(?P<index>\d*(?:-[a-z]+\d+)?)(?P<modifier>(?:_[a-z0-9]+)*?)_(?P<kind>raw|input)"
)

#: Factor from the kernel's unit, and the SenML symbol. ``rad/s`` is not in SenML's registry, which has
#: no unit of angular velocity.
_UNITS: Final = {
    "temp": (1e-3, "Cel"), "humidityrelative": (1e-3, "%RH"), "pressure": (1e3, "Pa"),
    "voltage": (1e-3, "V"), "altvoltage": (1e-3, "V"), "current": (1e-3, "A"),
    "power": (1e-3, "W"), "energy": (1.0, "J"), "resistance": (1.0, "Ohm"),
    "capacitance": (1e-9, "F"), "accel": (1.0, "m/s2"), "gravity": (1.0, "m/s2"),
    "anglvel": (1.0, "rad/s"), "angl": (1.0, "rad"), "incli": (1.0, "deg"),
    "magn": (1e-4, "T"), "velocity": (1.0, "m/s"), "distance": (1.0, "m"),
    "illuminance": (1.0, "lx"), "colortemp": (1.0, "K"), "concentration": (1.0, "%"),
    "massconcentration": (1.0, "ug/m3"), "ph": (1.0, "pH"),
    "electricalconductivity": (1.0, "S/m"), "positionrelative": (1e-3, "%"),
    "activity": (1.0, "%"), "count": (1.0, "count"),
}  # fmt: skip


def channels(device: Device, patterns: tuple[str, ...]) -> Iterator[Channel]:
    """The channels of one device whose names match; a processed value goes before a raw one."""
    found: dict[str, tuple[Path, re.Match[str]]] = {}
    for path in sorted(device.folder.glob("in_*")):
        match = _FILE.fullmatch(path.name)
        if match:
            name = match["type"] + match["index"] + match["modifier"]
            if name not in found or match["kind"] == "input":
                found[name] = (path, match)
    for name, (path, match) in found.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            label = slug(read_text(device.folder / f"in_{name}_label"))
            yield _channel(f"{device.name}/{label or name}", path, match)


def _channel(name: str, path: Path, match: re.Match[str]) -> Channel:
    factor, unit = _UNITS.get(match["type"], (1.0, ""))
    if match["kind"] == "input":
        return Channel(name, path, unit, factor)
    scale = read_number(_shared(path.parent, match, "scale"))
    offset = read_number(_shared(path.parent, match, "offset")) or 0.0
    if scale is None:
        return Channel(name, path, "", 1.0, offset)
    return Channel(name, path, unit, scale * factor, offset)


def _shared(folder: Path, match: re.Match[str], what: str) -> Iterator[Path]:
    """Where a scale or an offset may stand, the closest first."""
    kind, index, modifier = match["type"], match["index"], match["modifier"]
    pair = re.sub(r"\d", "", index)  # in_voltage-voltage_scale serves every differential pair
    ends = (index + modifier, index, pair + modifier, pair, modifier, "")
    stems = [kind + end for end in ends]
    for stem in dict.fromkeys(stems):
        yield folder / f"in_{stem}_{what}"
    yield folder / f"in_{what}"
    yield folder / what
