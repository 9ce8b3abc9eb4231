"""What a version must keep to before it may take over, and while it is on probation (pure).

Evidence is gathered per call of a model: rows, scores that are no numbers, rows above the model's own
threshold, how long the call took. ``fault`` compares it with the gates, and with the evidence of the
version that runs now over the same time: a pump that really fails raises both alert rates, a
model that cries wolf only its own.

Alert rates are judged **device by device**, each beside what the running version says of the same
device. One device whose rate is out of bounds is odd, and named: it may have broken in a way that
only the new version sees, or be one that the new version does not understand. It alone does not
speak against a version that runs at ten; where more than ``max_odd_devices`` of them are odd, or all
there are, the version is at fault. Devices with fewer than ``MODELS_DEVICE_ROWS`` rows say nothing
alone and are judged together, as one group that counts as many devices as are in it.

Scores of two models are not comparable, but their distances from their own thresholds are: drift is
how many times further from (or nearer to) its threshold the middle score lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta

from headrace.limits.edge_models import MODELS_DEVICE_ROWS, MODELS_MAX_LATENCY_MS, MODELS_MIN_ROWS
from headrace.models.evidence import Count, Evidence

Share = Annotated[float, Meta(ge=0, le=1)]

#: Standard deviations that an alert rate may lie above what is allowed.
_SIGMAS: Final = 3.0

#: Calls that may take too long, however few there are.
_SLOW_BY_CHANCE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """``[model_repository.gates]``.

    Attributes:
        min_rows: rows that must have been scored before anything is decided for a version.
        max_latency_ms: 99 of 100 calls take less.
        max_not_finite: share of scores that are NaN or infinite.
        max_alert_rate: share of a device's rows above the threshold that is always allowed.
        max_alert_rate_alone: the share where no version runs yet: devices may really be faulty.
        alert_factor: more is allowed up to this many times the running version's share.
        max_odd_devices: share of the devices that may be above that; one device may be, if there
            are others.
        max_drift: times that the middle score may lie further from or nearer to the threshold.
    """

    min_rows: Annotated[int, Meta(ge=1)] = MODELS_MIN_ROWS
    max_latency_ms: Annotated[float, Meta(gt=0)] = MODELS_MAX_LATENCY_MS
    max_not_finite: Share = 0.0
    max_alert_rate: Share = 0.02
    max_alert_rate_alone: Share = 0.5
    alert_factor: Annotated[float, Meta(ge=1)] = 3.0
    max_odd_devices: Share = 0.1
    max_drift: Annotated[float, Meta(gt=1)] = 20.0


@dataclass(frozen=True, slots=True)
class Odd:
    """A device, or a group of quiet ones, that a version calls faulty more often than it may."""

    device: str
    devices: int
    reason: str


def fault(gates: Gates, found: Evidence, running: Evidence | None = None) -> str:
    """Why a version may not go on; empty while nothing speaks against it.

    Args:
        running: of the version that it would replace (or replaced), over the same readings.
    """
    if found.rows and found.not_finite / found.rows > gates.max_not_finite:
        return (
            f"{found.not_finite} of {found.rows} scores are not finite numbers, "
            f"allowed are {gates.max_not_finite:.2%}"
        )
    if found.rows < gates.min_rows:
        return ""
    base = running if running is not None and running.rows >= gates.min_rows else None
    return _slow(gates, found) or _alerts(gates, found, base) or _drift(gates, found, base)


def broken(gates: Gates, found: Evidence) -> str:
    """What no version may do, however long it has been good: scores that are none, and slowness."""
    if found.rows and found.not_finite / found.rows > gates.max_not_finite:
        return (
            f"{found.not_finite} of {found.rows} scores are not finite numbers, "
            f"allowed are {gates.max_not_finite:.2%}"
        )
    return _slow(gates, found)


def _slow(gates: Gates, found: Evidence) -> str:
    """More than one call in a hundred; of few calls one or two say nothing: the first is slower than
    all that follow, and a machine that is busy with something else for a moment is no fault."""
    slow = sum(ms > gates.max_latency_ms for ms in found.calls_ms)
    if slow <= max(_SLOW_BY_CHANCE, len(found.calls_ms) // 100):
        return ""
    return f"a call takes {found.slowest_ms:.1f} ms (p99), allowed are {gates.max_latency_ms:g} ms"


def odd_devices(gates: Gates, found: Evidence, running: Evidence | None = None) -> list[Odd]:
    """The devices that a version calls faulty more often than it may."""
    base = running if running is not None and running.rows >= gates.min_rows else None
    return [
        Odd(device, devices, reason)
        for device, devices, mine, theirs in _groups(gates, found, base)
        if (reason := _too_many(gates, mine, theirs))
    ]


def _alerts(gates: Gates, found: Evidence, base: Evidence | None) -> str:
    odd = odd_devices(gates, found, base)
    count, known = sum(each.devices for each in odd), len(found.devices) or 1
    if not odd or (count < known and count <= _may_be_odd(gates, known)):
        return ""
    where = f" at {count} of {known} devices, {odd[0].device}" if known > 1 else ""
    return f"it calls too much faulty{where}: {odd[0].reason}"


def _may_be_odd(gates: Gates, devices: int) -> int:
    """One device may always be, unless it is the only one."""
    return max(1, int(gates.max_odd_devices * devices)) if devices > 1 else 0


def _groups(
    gates: Gates, found: Evidence, base: Evidence | None
) -> Iterator[tuple[str, int, Count, Count | None]]:
    """(name, devices in it, rows of the version, rows of the running one) of each that can be judged."""
    if not found.devices:
        theirs = None if base is None else Count(base.rows, base.alerts)
        yield "this device", 1, Count(found.rows, found.alerts), theirs
        return
    others = {} if base is None else base.devices
    quiet = []
    for device, each in found.devices.items():
        if each.rows < _device_rows(gates):
            quiet.append(device)
        else:
            yield device, 1, each, None if base is None else others.get(device, Count())
    yield from _together(gates, found.devices, None if base is None else others, quiet)


def _device_rows(gates: Gates) -> int:
    return min(MODELS_DEVICE_ROWS, gates.min_rows)


def _together(
    gates: Gates, mine: Mapping[str, Count], theirs: Mapping[str, Count] | None, quiet: list[str]
) -> Iterator[tuple[str, int, Count, Count | None]]:
    """Devices with few rows, without those that may be odd: one of them cannot speak for all."""
    worst = sorted(quiet, key=lambda device: mine[device].alerts, reverse=True)
    chosen = worst[_may_be_odd(gates, len(quiet)) :]
    total = _sum(mine, chosen)
    if total.rows >= _device_rows(gates):
        base = None if theirs is None else _sum(theirs, chosen)
        yield "those with few rows", len(chosen), total, base


def _sum(counts: Mapping[str, Count], devices: Sequence[str]) -> Count:
    total = Count()
    for device in devices:
        each = counts.get(device, Count())
        total.add(each.rows, each.alerts)
    return total


def _too_many(gates: Gates, mine: Count, theirs: Count | None) -> str:
    allowed, said = gates.max_alert_rate_alone, ""
    if theirs is not None:
        allowed = max(gates.max_alert_rate, gates.alert_factor * theirs.rate)
        said = f"; the running version calls {theirs.rate:.1%} faulty"
    if mine.alerts <= _by_chance(min(allowed, 1.0), mine.rows):
        return ""
    return f"{mine.rate:.1%} of {mine.rows} rows, allowed are {allowed:.1%}{said}"


def _by_chance(rate: float, rows: int) -> float:
    """Alerts that a device of this rate still has once in some hundred times: of many devices with
    few rows each, some are always above their rate."""
    return rate * rows + _SIGMAS * math.sqrt(rate * (1 - rate) * rows)


def _drift(gates: Gates, found: Evidence, base: Evidence | None) -> str:
    if base is None or not base.middle > 0:
        return ""
    drift = found.middle / base.middle
    if 1 / gates.max_drift <= drift <= gates.max_drift:
        return ""
    return (
        f"its scores lie {drift:.3g} times as far towards the threshold as those of the running "
        f"version, allowed are {1 / gates.max_drift:.3g} to {gates.max_drift:.3g}"
    )
