"""What one device may use of the gateway: readings and bytes per second, and different series. Pure.

Readings are known only when a payload is decoded, so a device pays afterwards: what was committed is
charged to its account, and one that is overdrawn is **held** until time has paid the debt. Meanwhile
its messages wait in a queue of its own (``inbox``) while others go on. Nothing is lost by a rate.

Series cannot wait: each costs memory in everything behind the gateway. A batch with series beyond the
bound is refused as ``over_limit`` and is in quarantine, from where it is replayed when the bound has
been raised. Series are counted from the gateway's start.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta

from headrace.config import FaultList
from headrace.errors import PayloadError
from headrace.limits.ingest import (
    DEVICE_BURST_S,
    DEVICE_BYTES_PER_S,
    DEVICE_MAX_SERIES,
    DEVICE_READINGS_PER_S,
    LIMITS_MAX_DEVICES,
    SITE_MAX_SERIES,
)

Rate = Annotated[float, Meta(gt=0, le=1e12)]
Count = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLimits:
    """One ``[[limits.devices]]``: other bounds for devices that match a glob; None is the common one."""

    device: str
    readings_per_s: Rate | None = None
    bytes_per_s: Rate | None = None
    burst_s: Rate | None = None
    max_series: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    """The ``[limits]`` table: bounds of each device. Of ``devices`` the first that matches counts."""

    readings_per_s: Rate = DEVICE_READINGS_PER_S
    bytes_per_s: Rate = DEVICE_BYTES_PER_S
    burst_s: Rate = DEVICE_BURST_S
    max_series: Count = DEVICE_MAX_SERIES
    devices: tuple[DeviceLimits, ...] = ()

    def of(self, device: str) -> Bounds:
        """The bounds of one device."""
        own = next((each for each in self.devices if fnmatchcase(device, each.device)), None)
        if own is None:
            return Bounds(self.readings_per_s, self.bytes_per_s, self.burst_s, self.max_series)
        return Bounds(
            own.readings_per_s or self.readings_per_s,
            own.bytes_per_s or self.bytes_per_s,
            own.burst_s or self.burst_s,
            own.max_series or self.max_series,
        )


def check_limits(config: LimitsConfig, found: FaultList) -> None:
    """What single fields cannot say."""
    globs = [each.device for each in config.devices]
    for index, glob in enumerate(globs):
        if glob in globs[:index]:
            found.add(
                f"limits.devices[{index}].device", f"{glob!r} is there twice; the first counts"
            )


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one device may use."""

    readings_per_s: float
    bytes_per_s: float
    burst_s: float
    max_series: int


@dataclass(slots=True)
class _Account:
    """``readings`` and ``bytes``: what may still be used; below 0 is debt. ``series``: hashes of names."""

    bounds: Bounds
    readings: float
    bytes: float
    at: float
    series: set[int] = field(default_factory=set)


class Limits:
    """The accounts of all devices; used by the ingest thread alone.

    Attributes:
        held: until when (monotonic seconds) a device that is overdrawn has to wait. Others may read.
    """

    def __init__(self, config: LimitsConfig | None = None) -> None:
        self._config = config or LimitsConfig()
        self._accounts: dict[str, _Account] = {}
        self._series = 0
        self._changed: LimitsConfig | None = None
        self.held: dict[str, float] = {}

    def change(self, config: LimitsConfig) -> None:
        """Other bounds, from any thread; debts are forgiven, series that are known stay."""
        self._changed = config

    def _apply(self, config: LimitsConfig) -> None:
        self._config, self._changed = config, None
        for device, account in self._accounts.items():
            account.bounds = config.of(device)
            account.readings = account.bytes = 0.0
        self.held.clear()

    def charge(self, device: str, *, readings: int, size: int, now: float) -> bool:
        """Take what has been committed from the account; whether the device is held from now on."""
        account = self._accounts.get(device) or self._open(device, now)
        bounds = account.bounds
        elapsed, account.at = now - account.at, now
        rate, burst = bounds.readings_per_s, bounds.burst_s
        account.readings = min(rate * burst, account.readings + elapsed * rate) - readings
        byte_rate = bounds.bytes_per_s
        account.bytes = min(byte_rate * burst, account.bytes + elapsed * byte_rate) - size
        if account.readings >= 0 and account.bytes >= 0:
            return False
        self.held[device] = now + max(-account.readings / rate, -account.bytes / byte_rate)
        return True

    def release(self, now: float) -> None:
        """Let those go on whose debt is paid."""
        if self._changed is not None:
            self._apply(self._changed)
        for device in [device for device, until in self.held.items() if until <= now]:
            del self.held[device]

    def admit(self, device: str, names: Iterable[str], now: float) -> None:
        """Take note of a batch's series.

        Raises:
            PayloadError: ``over_limit``: they would be too many; none of them is noted.
        """
        account = self._accounts.get(device) or self._open(device, now)
        # Hashes, so that a series costs the same whatever its name; two of one hash count as one.
        hashes = set(map(hash, names))
        if hashes <= account.series:
            return
        total = len(account.series | hashes)
        if total > account.bounds.max_series:
            raise PayloadError(
                "over_limit",
                f"{device} would have {total} series; it may have {account.bounds.max_series}",
                hint="raise limits.max_series, or [[limits.devices]], and replay it",
            )
        if self._series + total - len(account.series) > SITE_MAX_SERIES:
            raise PayloadError("over_limit", f"all devices may have {SITE_MAX_SERIES} series")
        self._series += total - len(account.series)
        account.series |= hashes

    def _open(self, device: str, now: float) -> _Account:
        while len(self._accounts) >= LIMITS_MAX_DEVICES:
            oldest = next(iter(self._accounts))
            self._series -= len(self._accounts.pop(oldest).series)
            self.held.pop(oldest, None)
        bounds = self._config.of(device)
        burst = bounds.burst_s
        account = _Account(bounds, bounds.readings_per_s * burst, bounds.bytes_per_s * burst, now)
        self._accounts[device] = account
        return account
