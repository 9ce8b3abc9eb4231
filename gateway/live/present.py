"""What is going on now: devices, their last values, a few minutes of chart, alerts. In memory only.

Bounded by devices, series, points and alerts (headrace/limits). Loops are over series, never over
readings.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from gateway.clashes import Clash
from gateway.feed import Entry
from gateway.live.device import (
    OFFSETS,
    Device,
    Index,
    add_points,
    note_boot,
    offset_us,
    row,
    series_of,
)
from headrace.derived import ALERT_PREFIX, MODEL_PREFIX, SCHEMA_NAME, VITALS_PREFIX, is_derived
from headrace.limits.console import (
    LIVE_MAX_ALERTS,
    LIVE_MAX_DEVICES,
    LIVE_MAX_POINTS,
    LIVE_MIN_POINTS,
    LIVE_TOTAL_POINTS,
)
from headrace.limits.consumers import SCHEMA_MAX_NOTICES
from headrace.limits.ingest import CLOCK_OFFSET_S
from headrace.wire import DeviceState

#: Batches of a device that are looked at whenever the worker comes by; what they leave out, a chart of
#: minutes does not show.
_LOOKS_PER_DEVICE: Final = 2

#: Older boot ids that came back from which two machines are said to have one name.
_RETURNS: Final = 2


class Live:
    """The present, for the console and the API; safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._devices: OrderedDict[str, Device] = OrderedDict()
        self._alerts: OrderedDict[tuple[str, str, str, int], dict[str, Any]] = OrderedDict()
        self._notices: deque[dict[str, Any]] = deque(maxlen=SCHEMA_MAX_NOTICES)
        self._series = 0

    def set_state(self, device: str, state: DeviceState) -> None:
        """A device said something of itself."""
        with self._lock:
            found = self._device(device)
            found.state = state
            note_boot(found, state.boot)

    def add_all(self, entries: Sequence[Entry]) -> None:
        """Take committed batches in.

        Of a device that sent many at once the newest are looked at; the others are counted. What the
        gateway made itself (alerts, scores) is never left out.
        """
        looks: Counter[str] = Counter()
        shown: list[Entry] = []
        with self._lock:
            for entry in reversed(entries):
                if _is_made_here(entry):
                    shown.append(entry)
                elif looks[entry.device] < _LOOKS_PER_DEVICE:
                    looks[entry.device] += 1
                    shown.append(entry)
                else:
                    self._device(entry.device).readings += entry.rows.num_rows
        for entry in reversed(shown):
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Take a committed batch in; what the gateway says of itself comes from here anyway."""
        if not entry.rows.num_rows:
            return
        name, time, value, _ = entry.rows.columns
        names = name.dictionary.to_pylist()
        codes: NDArray[np.int32] = name.indices.to_numpy(zero_copy_only=False)
        first = names[codes[0]]
        if first == SCHEMA_NAME:
            self._add_notices(entry)
        if first.startswith(VITALS_PREFIX):
            return
        times: NDArray[np.int64] = time.view("int64").to_numpy()
        values: NDArray[np.float64] = value.to_numpy(zero_copy_only=False)
        with self._lock:
            device = self._device(entry.device)
            if not first.startswith((ALERT_PREFIX, MODEL_PREFIX)):
                device.readings += len(times)
                device.last_received = max(device.last_received, entry.received_at)
                newest = int(times.max())
                device.last_time = max(device.last_time, newest)
                device.ahead = newest - entry.received_at
                device.offsets = [*device.offsets[1 - OFFSETS :], device.ahead]
            for code, index in _places(codes):
                self._add_series(device, names[code], entry, index, times[index], values[index])

    def _add_notices(self, entry: Entry) -> None:
        with self._lock:
            for row in entry.rows.select(["time", "text"]).to_pylist():
                told = msgspec.json.decode(row["text"], type=dict[str, Any])
                at = int(row["time"].timestamp() * 1e6)
                self._notices.appendleft({"device": entry.device, "time": at, **told})

    def notices(self) -> list[dict[str, Any]]:
        """Series that changed their type or unit, newest first."""
        with self._lock:
            return list(self._notices)

    def with_own_models(self) -> set[str]:
        """Devices that run models themselves, as their state says."""
        with self._lock:
            return {
                device.name
                for device in self._devices.values()
                if device.state is not None and device.state.models is not None
            }

    def clashes(self) -> list[Clash]:
        """Device ids under which two machines say that they are there."""
        with self._lock:
            return [
                Clash("device id", device.name, device.boot_returns)
                for device in self._devices.values()
                if device.boot_returns >= _RETURNS
            ]

    def devices(self) -> list[dict[str, Any]]:
        """One row a device, for tables."""
        with self._lock:
            return [row(device) for device in self._devices.values()]

    def series_of(self, device: str) -> dict[str, str]:
        """Series names of a device, with their units."""
        with self._lock:
            found = self._devices.get(device)
            return {name: series.unit for name, series in found.series.items()} if found else {}

    def numeric_series_of(self, device: str) -> dict[str, str]:
        """Those of a device's series that have numbers, so that a chart can show them."""
        with self._lock:
            found = self._devices.get(device)
            return {n: s.unit for n, s in found.series.items() if s.points} if found else {}

    def points(self, device: str, name: str, *, since_us: int = 0) -> list[tuple[int, float]]:
        """The newest points of one series in order of arrival."""
        with self._lock:
            found = self._devices.get(device)
            series = found.series.get(name) if found else None
            return series.points.since(since_us) if series else []

    def alerts(self) -> list[dict[str, Any]]:
        """The newest transition of each alert, newest first."""
        with self._lock:
            return sorted(
                self._alerts.values(), key=lambda alert: alert["started"] or 0, reverse=True
            )

    def clock_offsets(self) -> dict[str, float]:
        """Seconds that devices' clocks seem to be from ours; only those that are clearly off."""
        with self._lock:
            found = {name: offset_us(device) / 1e6 for name, device in self._devices.items()}
        return {name: each for name, each in found.items() if abs(each) >= CLOCK_OFFSET_S}

    @property
    def online(self) -> int:
        """How many devices say that they are online."""
        with self._lock:
            return sum(
                1 for device in self._devices.values() if device.state and device.state.online
            )

    def _device(self, name: str) -> Device:
        device = self._devices.get(name)
        if device is None:
            device = self._devices[name] = Device(name)
            if len(self._devices) > LIVE_MAX_DEVICES:
                self._series -= len(self._devices.popitem(last=False)[1].series)
        return device

    def _add_series(
        self,
        device: Device,
        name: str,
        entry: Entry,
        index: Index,
        times: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> None:
        if name.startswith(ALERT_PREFIX):
            self._add_alerts(device.name, name, entry, index)
            return
        known = len(device.series)
        series = series_of(device, name, entry.units.get(name, ""))
        self._series += len(device.series) - known
        if series is not None:
            # The more series there are, the fewer points of each.
            share = LIVE_TOTAL_POINTS // self._series
            keep = max(LIVE_MIN_POINTS, min(LIVE_MAX_POINTS, share))
            add_points(series, times, values, entry, index, keep)

    def _add_alerts(self, device: str, name: str, entry: Entry, index: Index) -> None:
        texts = pc.take(
            entry.rows.column("text"), np.arange(entry.rows.num_rows)[index]
        ).to_pylist()
        for text in texts:
            if text is None:
                continue
            try:
                alert = msgspec.json.decode(text, type=dict[str, Any])
            except msgspec.MsgspecError:
                continue  # not one of ours: a device may name a series as it likes
            alert |= {"device": device, "rule": name.removeprefix(ALERT_PREFIX)}
            alert.setdefault("started", 0)
            key = (device, alert["rule"], str(alert.get("series", "")), alert["started"])
            self._alerts[key] = alert
            self._alerts.move_to_end(key)
            while len(self._alerts) > LIVE_MAX_ALERTS:
                self._alerts.popitem(last=False)


def _is_made_here(entry: Entry) -> bool:
    name = entry.rows.column(0)
    return len(name) > 0 and is_derived(name.dictionary[0].as_py())


def _places(codes: NDArray[np.int32]) -> Iterator[tuple[int, Index]]:
    """Each series that occurs, and where its readings are."""
    first = codes[0]
    if len(codes) == 1 or (codes == first).all():
        yield int(first), slice(None)
        return
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        index = order[start:end]
        yield int(codes[index[0]]), index
