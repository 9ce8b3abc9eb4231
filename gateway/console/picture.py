"""The present, worked out once a second for all viewers.

A hundred viewers of ten thousand devices must not cost a hundred times ten thousand rows a second:
what is the same for all of them (states, order, counts) is made once, and each viewer's part of the
page filters and cuts it down to the rows that it shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.live import Live
from headrace.clock import Clock
from headrace.limits import CONSOLE_REFRESH_S, CONSOLE_SILENT_AFTER_S

DeviceCondition = Literal["online", "silent", "offline", "unknown"]
CONDITIONS: Final[tuple[DeviceCondition, ...]] = ("online", "silent", "offline", "unknown")

#: A transition that ends a pending alert which never fired is of no use on a page.
_SHOWN: Final = {"firing": 0, "pending": 1, "resolved": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """What the page says of a device; times in microseconds since 1970 UTC, 0 for never."""

    device: str
    condition: DeviceCondition
    last_received: int
    last_time: int
    readings: int
    buffered: int | None
    sampled: int | None
    dropped: Mapping[str, int]
    firing: int


@dataclass(frozen=True, slots=True)
class Picture:
    """All devices by name, all alerts with the urgent ones first."""

    now_us: int
    devices: Sequence[DeviceRow] = ()
    alerts: Sequence[Mapping[str, Any]] = ()

    @property
    def firing(self) -> int:
        return sum(row.firing for row in self.devices)

    def count_by_condition(self) -> Counter[DeviceCondition]:
        return Counter(row.condition for row in self.devices)


def make_picture(
    now_us: int, devices: Iterable[Mapping[str, Any]], alerts: Iterable[Mapping[str, Any]]
) -> Picture:
    """Judge what ``Live`` holds."""
    shown = [alert for alert in alerts if alert.get("state") in _SHOWN]
    shown.sort(key=lambda alert: alert.get("started") or 0, reverse=True)
    shown.sort(key=lambda alert: _SHOWN[alert["state"]])
    firing = [alert for alert in shown if alert["state"] == "firing"]
    per_device = Counter(alert["device"] for alert in firing)
    silent = {alert["device"] for alert in firing if not alert.get("series")}
    rows = [_row(now_us, device, per_device, silent) for device in devices]
    rows.sort(key=lambda row: row.device)
    return Picture(now_us, rows, shown)


def condition(
    now_us: int, *, online: bool | None, last_received: int, silence_fires: bool
) -> DeviceCondition:
    """How a device is.

    What it says of itself comes first only when it says that it has left: a device that claims to be
    online and sends nothing is the case that somebody has to look at.
    """
    if online is False:
        return "offline"
    quiet = last_received and now_us - last_received > CONSOLE_SILENT_AFTER_S * 1_000_000
    if silence_fires or quiet:
        return "silent"
    return "online" if online else "unknown"


def _row(
    now_us: int, device: Mapping[str, Any], firing: Mapping[str, int], silent: set[str]
) -> DeviceRow:
    name = device["device"]
    return DeviceRow(
        device=name,
        condition=condition(
            now_us,
            online=device["online"],
            last_received=device["last_received"],
            silence_fires=name in silent,
        ),
        last_received=device["last_received"],
        last_time=device["last_time"],
        readings=device["readings"],
        buffered=device["buffered"],
        sampled=device["sampled"],
        dropped=device["dropped"],
        firing=firing.get(name, 0),
    )


class Pictures:
    """Makes a picture when somebody looks and the last one is old."""

    def __init__(self, live: Live, clock: Clock) -> None:
        self._live = live
        self._clock = clock
        self._made = float("-inf")
        self._picture = Picture(clock.now_us())

    def latest(self) -> Picture:
        # A little less than the refresh: a viewer's timer that comes early must not see the old one.
        if self._clock.monotonic() - self._made >= 0.9 * CONSOLE_REFRESH_S:
            self._made = self._clock.monotonic()
            self._picture = make_picture(
                self._clock.now_us(), self._live.devices(), self._live.alerts()
            )
        return self._picture
