"""The ``iio`` input: what the kernel's Industrial I/O drivers measure."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edge_agent.inputs.iio.channels import channels
from edge_agent.inputs.sysfs import SYSFS, Channel, SysfsInput, devices, read_text, subfolders

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IioSettings:
    """``[[inputs]] plugin = "iio"``."""

    interval_s: Annotated[float, Meta(ge=0.01, le=3_600)] = 1.0
    devices: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("*",)
    names: dict[str, str] = field(default_factory=dict)
    prefix: Annotated[str, Meta(max_length=200)] = ""
    sysfs: Path = SYSFS


class IioInput(SysfsInput):
    """One reading per channel and poll, each at the time at which it was read."""

    def __init__(self, settings: IioSettings) -> None:
        where = settings.sysfs / "bus/iio/devices"
        wanted = f" called {', '.join(settings.devices)}" if settings.devices else ""
        super().__init__(
            functools.partial(scan, settings),
            interval_s=settings.interval_s, prefix=settings.prefix, logger=_log,
            missing=(f"no IIO device{wanted} with channels under {where}",
                     "load the sensor's driver, on a Raspberry Pi by a dtoverlay line in config.txt; "
                     "edge-agent discover shows what is there"),
        )  # fmt: skip


def scan(settings: IioSettings) -> list[Channel]:
    """The channels that are there now."""
    folders = subfolders(settings.sysfs / "bus/iio/devices", "iio:device*")
    found = devices(folders, _names, settings.devices, settings.names)
    return [channel for device in found for channel in channels(device, settings.channels)]


def _names(folder: Path) -> tuple[str, ...]:
    label, name = read_text(folder / "label"), read_text(folder / "name")
    return tuple(text for text in (label, name, folder.name) if text)
