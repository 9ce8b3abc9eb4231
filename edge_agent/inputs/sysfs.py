"""Sensors that the kernel shows as small files under /sys: what ``iio`` and ``hwmon`` share.

A channel is one file with one number, a scale and an offset. Channels are looked for at the first
poll, once a minute (a USB sensor is plugged in, a driver is loaded) and when one has gone. A channel
that cannot be read is counted and said once; the others go on. No channel at all is a failure of the
input: there is something to load or to plug in.

The kernel numbers devices in the order in which it finds them, so a number is no name: two devices
of one kind are told apart by where they are connected (``1-0076`` is I2C bus 1, address 0x76).
"""

from __future__ import annotations

import errno
import fnmatch
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.inputs.port import Input
from edge_agent.inputs.values import Complaints
from edge_agent.readings import Poll, Run, single
from headrace.errors import InputError
from headrace.limits.inputs import SYSFS_MAX_CHANNELS, SYSFS_RESCAN_S

#: Where the kernel shows its devices; a setting only so that tests can show their own.
SYSFS: Final = Path("/sys")


@dataclass(frozen=True, slots=True)
class Channel:
    """One file with one number: value = (number + offset) x scale."""

    name: str
    path: Path
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    fault: Path | None = None  # holds 1 while the sensor itself is broken

    def read(self) -> float:
        """The value now.

        Raises:
            OSError: the driver cannot read the sensor.
            ValueError: the file holds no number, or the sensor reports a fault.
        """
        if self.fault is not None and read_text(self.fault) == "1":
            raise ValueError("the sensor reports a fault")
        return (float(self.path.read_text(encoding="ascii")) + self.offset) * self.scale


@dataclass(frozen=True, slots=True)
class Device:
    """One folder of channels: what it calls itself, and its name in series."""

    folder: Path
    names: tuple[str, ...]
    name: str


class SysfsInput(Input):
    """Reads every channel that ``scan`` finds.

    Args:
        missing: what to say and to do where there is no channel.
    """

    def __init__(
        self, scan: Callable[[], list[Channel]], *, interval_s: float, prefix: str,
        logger: logging.Logger, missing: tuple[str, str],
    ) -> None:  # fmt: skip
        self.interval_s = interval_s
        self._scan, self._prefix, self._missing = scan, prefix, missing
        self._complaints = Complaints(logger)
        self._channels: list[Channel] = []
        self._scan_at = float("-inf")

    def poll(self) -> Poll:
        self._look()
        runs = [run for channel in self._channels if (run := self._read(channel))]
        return Poll(runs, dropped=self._complaints.take())

    def _look(self) -> None:
        now = self.clock.monotonic()
        if now < self._scan_at:
            return
        self._channels = self._scan()[:SYSFS_MAX_CHANNELS]
        if not self._channels:
            message, hint = self._missing
            raise InputError(message, hint=hint)
        self._scan_at = now + SYSFS_RESCAN_S

    def _read(self, channel: Channel) -> Run | None:
        name = self._prefix + channel.name
        try:
            value = channel.read()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV):
                self._scan_at = float("-inf")
            self._complaints.note(name, f"{channel.path} cannot be read: {error.strerror}")
            return None
        except ValueError as error:
            self._complaints.note(name, f"{channel.path}: expected a number, got: {error}")
            return None
        self._complaints.heal(name)
        return single(name, self.clock.now_us(), value, channel.unit)


def read_text(path: Path) -> str:
    """The text of a small file; empty where there is none, or the driver does not give it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def read_number(paths: Iterable[Path]) -> float | None:
    """The number in the first file that is there and holds one."""
    for path in paths:
        try:
            return float(read_text(path))
        except ValueError:
            continue
    return None


def slug(text: str) -> str:
    """A label as a part of a series name: ``Core 0`` becomes ``Core_0``."""
    return "_".join(text.replace("/", " ").split())


def devices(
    folders: Iterable[Path], own_names: Callable[[Path], tuple[str, ...]],
    wanted: tuple[str, ...], renamed: Mapping[str, str],
) -> list[Device]:  # fmt: skip
    """The wanted devices with names that no two of them share.

    Args:
        own_names: what a device calls itself, the best first; empty where it is none.
        wanted: patterns of names; all devices where there is none.
        renamed: name in series by any of a device's names.
    """
    named = [(folder, own_names(folder)) for folder in sorted(folders, key=_in_order)]
    named = [(folder, (*names, place(folder))) for folder, names in named if names]
    count = Counter(slug(names[0]) for _, names in named)
    found = []
    for folder, names in named:
        unique = slug(names[0]) if count[slug(names[0])] == 1 else f"{slug(names[0])}-{names[-1]}"
        calls = (*names, unique)
        if not wanted or any(fnmatch.fnmatchcase(n, w) for n in calls for w in wanted):
            chosen = next((renamed[call] for call in reversed(calls) if call in renamed), unique)
            found.append(Device(folder, calls, chosen))
    return found


def place(folder: Path) -> str:
    """Where a device is connected (``1-0076``, ``28-0316a2791fff``); its number where that is not shown."""
    parent = folder / "device"
    real = parent.resolve() if parent.exists() else folder.resolve().parent
    return folder.name if real == folder.parent.resolve() else real.name


def subfolders(folder: Path, pattern: str) -> list[Path]:
    """The folders of a class or bus; none where the kernel has no such class."""
    return [path for path in folder.glob(pattern) if path.is_dir()] if folder.is_dir() else []


def _in_order(folder: Path) -> tuple[int, str]:
    return len(folder.name), folder.name
