"""What is known of one device at present: its state, the newest points of its series, its clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.feed import Entry
from gateway.live.points import Points
from headrace.limits.console import LIVE_MAX_SERIES
from headrace.wire import DeviceState

#: Points of one series that one batch may add to the chart; more are thinned out.
_POINTS_PER_BATCH: Final = 100

#: Batches of a device that its clock is judged by.
OFFSETS: Final = 15

#: Which rows of a batch; all of them as a slice.
Index = NDArray[np.intp] | slice


@dataclass(slots=True)
class Series:
    """The newest points of one series, and the last text."""

    unit: str = ""
    points: Points = field(default_factory=Points)
    text: str = ""


@dataclass(slots=True)
class Device:
    """What is known of a device at present."""

    name: str
    state: DeviceState | None = None
    last_received: int = 0
    last_time: int = 0
    ahead: int = 0
    offsets: list[int] = field(default_factory=list)
    readings: int = 0
    series: dict[str, Series] = field(default_factory=dict)
    boots: tuple[str, ...] = ()
    boot_returns: int = 0


def note_boot(device: Device, boot: str) -> None:
    """A boot id that comes back after another: two machines have this device's name.

    Each start of a machine has an id of its own, so one machine never says an older one again.
    """
    if not boot or (device.boots and boot == device.boots[-1]):
        return
    device.boot_returns += boot in device.boots
    device.boots = (*[each for each in device.boots[-3:] if each != boot], boot)


def series_of(device: Device, name: str, unit: str) -> Series | None:
    """The series of that name, made if need be; None where the device has too many."""
    series = device.series.get(name)
    if series is None:
        if len(device.series) >= LIVE_MAX_SERIES:
            return None
        series = device.series[name] = Series(unit)
    if unit:
        series.unit = unit
    return series


def add_points(
    series: Series,
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    entry: Entry,
    index: Index,
    keep: int,
) -> None:
    """Add the finite numbers of a batch, thinned out; of texts the last."""
    finite = np.isfinite(values)
    if not finite.all():
        last = int(np.arange(entry.rows.num_rows)[index][-1])
        text = entry.rows.column("text")[last].as_py()
        series.text = text[:200] if text else series.text
        times, values = times[finite], values[finite]
    stride = max(1, len(times) // _POINTS_PER_BATCH)
    series.points.add(times[::stride], values[::stride], keep)


def offset_us(device: Device) -> int:
    """How far the device's clock seems to be from ours, in microseconds; ahead is above 0.

    The median of the newest batches, so that one that was late or wrong says nothing. What is behind may
    be a clock, or a backlog on its way. Of an even number the upper: ``statistics.median`` takes ten times as
    long, and a look at 10,000 devices asks for all of them twice.
    """
    offsets = sorted(device.offsets)
    return offsets[len(offsets) // 2] if offsets else 0


def row(device: Device) -> dict[str, Any]:
    """One row of a table of devices."""
    state = device.state
    return {
        "device": device.name,
        "online": state.online if state else None,
        "version": state.version if state else "",
        "buffered": state.buffered if state else None,
        "sampled": state.sampled if state else None,
        "dropped": dict(state.dropped) if state else {},
        "certificate": state.certificate if state else 0,
        "renewal": state.renewal if state else "",
        "last_received": device.last_received,
        "last_time": device.last_time,
        "ahead": device.ahead,
        "clock_offset": offset_us(device),
        "readings": device.readings,
        "series": len(device.series),
    }
