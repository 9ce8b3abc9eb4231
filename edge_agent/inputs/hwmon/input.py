"""The ``hwmon`` input: what the kernel's hardware monitoring drivers measure.

An input of its own and not a part of ``iio``: the files, their units and what selects them differ,
and a device that is watched by both is rare. The ``host`` input has the temperatures among these
already; ``kinds`` leaves them out here where both are used.
"""

from __future__ import annotations

import functools
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from edge_agent.inputs.sysfs import (
    SYSFS,
    Channel,
    Device,
    SysfsInput,
    devices,
    read_text,
    slug,
    subfolders,
)

_log = logging.getLogger(__name__)

Kind = Literal["temp", "in", "fan", "power", "curr", "energy", "humidity"]
KINDS: Final[tuple[Kind, ...]] = ("temp", "in", "fan", "power", "curr", "energy", "humidity")

#: Factor from the kernel's unit (milli-degrees, millivolt, rpm, microwatt …), and the SenML symbol.
_UNITS: Final[dict[str, tuple[float, str]]] = {
    "temp": (1e-3, "Cel"), "in": (1e-3, "V"), "fan": (1.0, "1/min"), "power": (1e-6, "W"),
    "curr": (1e-3, "A"), "energy": (1e-6, "J"), "humidity": (1e-3, "%RH"),
}  # fmt: skip

_FILE: Final = re.compile(r"(?P<channel>(?P<kind>[a-z]+)\d+)_(?:input|average)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HwmonSettings:
    """``[[inputs]] plugin = "hwmon"``."""

    interval_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 5.0
    devices: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = KINDS
    names: dict[str, str] = field(default_factory=dict)
    prefix: Annotated[str, Meta(max_length=200)] = ""
    sysfs: Path = SYSFS


class HwmonInput(SysfsInput):
    """One reading per channel and poll, each at the time at which it was read."""

    def __init__(self, settings: HwmonSettings) -> None:
        where = settings.sysfs / "class/hwmon"
        super().__init__(
            functools.partial(scan, settings),
            interval_s=settings.interval_s, prefix=settings.prefix, logger=_log,
            missing=(f"no hwmon channel of {', '.join(settings.kinds)} under {where}",
                     "virtual machines have none; edge-agent discover shows what is there"),
        )  # fmt: skip


def scan(settings: HwmonSettings) -> list[Channel]:
    """The channels that are there now."""
    folders = subfolders(settings.sysfs / "class/hwmon", "hwmon*")
    found = devices(folders, _names, settings.devices, settings.names)
    return [channel for device in found for channel in _channels(device, settings.kinds)]


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(text for text in (read_text(folder / "name"), folder.name) if text)


def _channels(device: Device, kinds: tuple[Kind, ...]) -> Iterator[Channel]:
    found: dict[str, tuple[Path, str]] = {}
    for path in sorted(device.folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if (
            match
            and match["kind"] in kinds
            and (path.name.endswith("input") or match["channel"] not in found)
        ):
            found[match["channel"]] = (path, match["kind"])
    labels = {channel: slug(read_text(device.folder / f"{channel}_label")) for channel in found}
    count = Counter(labels.values())
    for channel, (path, kind) in found.items():
        factor, unit = _UNITS[kind]
        # Boards have been seen to call two fans alike.
        label = labels[channel] if count[labels[channel]] == 1 else ""
        fault = device.folder / f"{channel}_fault"
        name = f"{device.name}/{label or channel}"
        yield Channel(name, path, unit, factor, fault=fault if fault.exists() else None)
