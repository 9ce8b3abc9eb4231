"""The ``w1`` input: DS18B20 thermometers and their kin on a 1-Wire bus.

A conversion takes up to 0.75 s and the bus does one at a time, so sensors are read in turn, each
reading with its own time, and a poll stops at its interval: the sensors that are left come first in
the next one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edge_agent.inputs.port import Input
from edge_agent.inputs.sysfs import SYSFS
from edge_agent.inputs.values import Complaints
from edge_agent.inputs.w1.sensor import FAMILIES, NoReadingError, temperature
from edge_agent.readings import Poll, Run, single
from headrace.errors import InputError
from headrace.limits.inputs import SYSFS_MAX_CHANNELS

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class W1Settings:
    """``[[inputs]] plugin = "w1"``."""

    interval_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 10.0
    sensors: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    prefix: Annotated[str, Meta(max_length=200)] = ""
    sysfs: Path = SYSFS

    def problems(self) -> list[tuple[str, str]]:
        """What single fields cannot say."""
        series = [self.names.get(name, name) for name in (self.sensors or self.names)]
        doubled = sorted({name for name in series if series.count(name) > 1})
        return [("names", f"{name!r} is the name of two sensors") for name in doubled]


class W1Input(Input):
    """One reading per sensor and poll."""

    def __init__(self, settings: W1Settings) -> None:
        self.interval_s = settings.interval_s
        self._settings = settings
        self._complaints = Complaints(_log)
        self._before: dict[str, float] = {}
        self._next = ""  # the sensor to begin with

    def poll(self) -> Poll:
        ends_at = self.clock.monotonic() + self.interval_s
        runs: list[Run] = []
        for folder in self._in_turn():
            self._next = folder.name
            if runs and self.clock.monotonic() >= ends_at:
                break
            run = self._read(folder)
            if run is not None:
                runs.append(run)
        else:
            self._next = ""
        return Poll(runs, dropped=self._complaints.take())

    def _in_turn(self) -> list[Path]:
        """The sensors on the bus, and those that should be there; the one that was left first."""
        found = {folder.name: folder for folder in thermometers(self._settings.sysfs)}
        named = self._settings.sensors
        folders = [
            found.get(name, _folder(self._settings.sysfs) / name) for name in named or found
        ][:SYSFS_MAX_CHANNELS]
        if not folders:
            raise InputError(
                f"no 1-Wire thermometer under {_folder(self._settings.sysfs)}",
                hint="on a Raspberry Pi add dtoverlay=w1-gpio to config.txt; check the pull-up",
            )
        at = next((n for n, folder in enumerate(folders) if folder.name == self._next), 0)
        return folders[at:] + folders[:at]

    def _read(self, folder: Path) -> Run | None:
        sensor = folder.name
        name = f"{self._settings.prefix}{self._settings.names.get(sensor, sensor)}/temperature"
        try:
            value = temperature(text_of(folder), before=self._before.get(sensor))
        except OSError as error:
            self._complaints.note(name, f"sensor {sensor} cannot be read: {error.strerror}")
            return None
        except NoReadingError as error:
            self._complaints.note(name, f"sensor {sensor}: {error}", reason=error.reason)
            return None
        self._complaints.heal(name)
        self._before[sensor] = value
        return single(name, self.clock.now_us(), value, "Cel")


def thermometers(sysfs: Path) -> list[Path]:
    """The folders of the thermometers on every bus."""
    folder = _folder(sysfs)
    found = [path for family in FAMILIES for path in folder.glob(f"{family}-*")]
    return sorted(found)


def text_of(folder: Path) -> str:
    """The sensor's file: with its checksum, or from a kernel that no longer shows it."""
    path = folder / "w1_slave"
    if not path.exists():
        path = folder / "temperature"
    return path.read_text(encoding="ascii", errors="replace")


def _folder(sysfs: Path) -> Path:
    return sysfs / "bus/w1/devices"
