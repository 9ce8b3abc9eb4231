"""The present, worked out once a second for all viewers.

A hundred viewers of ten thousand devices must not cost a hundred times ten thousand rows a second:
what is the same for all of them (states, order, counts) is made once, and each viewer's part of the
page filters and cuts it down to the rows that it shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from gateway.live import Live
from headrace.clock import Clock
from headrace.limits.console import CONSOLE_REFRESH_S, CONSOLE_SILENT_AFTER_S

DeviceCondition = Literal["online", "silent", "offline", "unknown"]
CONDITIONS: Final[tuple[DeviceCondition, ...]] = ("online", "silent", "offline", "unknown")

#: Share of the event loop's time that pictures may take: it carries the embedded broker too.
_MAX_SHARE: Final = 0.05

#: A transition that ends a pending alert which never fired is of no use on a page.
_SHOWN: Final = {"firing": 0, "pending": 1, "resolved": 2}
_SEVERITIES: Final = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """What the page says of a device; times in microseconds since 1970 UTC, 0 for never.

    ``certificate``: when its certificate ends; ``renewal``: why it could not be renewed.
    """

    device: str
    condition: DeviceCondition
    last_received: int
    last_time: int
    readings: int
    buffered: int | None
    sampled: int | None
    dropped: Mapping[str, int]
    missing: int
    firing: int
    certificate: int
    renewal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All devices by name, all alerts with the urgent ones first, and what is counted over them.

    ``urgent`` is the device that a viewer most likely wants to see first.
    """

    now_us: int
    devices: Sequence[DeviceRow]
    alerts: Sequence[Mapping[str, Any]]
    counts: Mapping[DeviceCondition, int]
    firing: int
    urgent: str | None


def make_picture(
    now_us: int,
    devices: Iterable[Mapping[str, Any]],
    alerts: Iterable[Mapping[str, Any]],
    missing: Mapping[str, int] = MappingProxyType({}),
) -> Picture:
    """Judge what ``Live`` holds; ``missing`` readings are those in gaps, by device."""
    shown = [alert for alert in alerts if alert.get("state") in _SHOWN]
    shown.sort(key=lambda alert: alert.get("started") or 0, reverse=True)
    shown.sort(key=lambda a: (_SHOWN[a["state"]], _SEVERITIES.get(a.get("severity", ""), 9)))
    firing = [alert for alert in shown if alert["state"] == "firing"]
    per_device = Counter(alert["device"] for alert in firing)
    silent = {alert["device"] for alert in firing if not alert.get("series")}
    rows = [
        _row(now_us, device, per_device, silent, missing.get(device["device"], 0))
        for device in devices
    ]
    rows.sort(key=lambda row: row.device)
    return Picture(
        now_us=now_us,
        devices=rows,
        alerts=shown,
        counts=Counter(row.condition for row in rows),
        firing=len(firing),
        urgent=_urgent(rows),
    )


def _urgent(rows: Sequence[DeviceRow]) -> str | None:
    """One with an alert before one that is online before the others, and else by name."""
    first = min(
        rows, key=lambda row: (not row.firing, CONDITIONS.index(row.condition)), default=None
    )
    return first.device if first is not None else None


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
    now_us: int,
    device: Mapping[str, Any],
    firing: Mapping[str, int],
    silent: set[str],
    missing: int,
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
        missing=missing,
        firing=firing.get(name, 0),
        certificate=device["certificate"],
        renewal=device["renewal"],
    )


class Pictures:
    """Makes a picture when somebody looks and the last one is old."""

    def __init__(
        self,
        live: Live,
        clock: Clock,
        missing: Callable[[], Mapping[str, int]] = lambda: MappingProxyType({}),
    ) -> None:
        self._live = live
        self._missing = missing
        self._clock = clock
        self._due = float("-inf")
        self._picture = make_picture(clock.now_us(), (), ())

    def latest(self) -> Picture:
        """The present, at most about a second old; older where it takes long to work out."""
        started = self._clock.monotonic()
        if started >= self._due:
            self._picture = make_picture(
                self._clock.now_us(), self._live.devices(), self._live.alerts(), self._missing()
            )
            cost = self._clock.monotonic() - started
            # A little less than the refresh: a timer that comes early must not see the old one.
            self._due = started + max(0.9 * CONSOLE_REFRESH_S, cost / _MAX_SHARE)
        return self._picture
