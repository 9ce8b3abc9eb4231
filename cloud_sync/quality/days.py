"""Which days are to be computed: pure, from counts.

The table ``quality`` says itself what it was computed from: the sum of its readings of a day is what the day had
then. Where the table of readings has another number now, readings came late (or an import brought them), and
this day is computed again, no other. Compaction changes no number. A day that was still running is computed once
more when it is over, because only then what is missing at its end counts.

Of a day that was judged before, only devices with new readings are judged again; rows of others are taken over. That is so
where what came since (``changes``) is all that the day has more than then, and the day is not over for the first
time: then each series' last reading counts to its end.

A day without any reading is judged too, as long as series are expected: a site that is silent has no
files, and that is what one wants to know. A day whose readings retention has taken stays as it was judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from headrace.limits.quality import QUALITY_MAX_DEVICES, USUAL_DAYS

_DAY: Final = timedelta(days=1)

#: A property of the table of quality.
_UNTIL: Final = "headrace.quality.until"


@dataclass(frozen=True, slots=True)
class Counted:
    """Readings of a day, and those with odd times that arrived on it."""

    readings: int = 0
    odd: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """Readings that came to a day since the last round, and the devices they are of."""

    readings: int
    devices: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the table of quality says of a day."""

    counted: Counted
    computed: datetime
    devices: int = 0


def ends(day: date) -> datetime:
    """The midnight behind a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY


def is_over(day: date, now: datetime, settle_s: float) -> bool:
    """Whether nothing but late readings comes any more."""
    return now >= ends(day) + timedelta(seconds=settle_s)


def due(
    found: Mapping[date, Counted], judged: Mapping[date, Judged], *, now: datetime, settle_s: float
) -> list[date]:
    """The days to compute, oldest first: what is usual on a day is learned from those before.

    Args:
        found: what there is now.
        judged: what was computed before.
    """
    today = now.astimezone(UTC).date()
    candidates = {day for day in found if day <= today} | _silent(found, today)
    return sorted(
        day
        for day in candidates
        if _is_due(found.get(day, Counted()), judged.get(day), is_over_at=ends(day) + timedelta(seconds=settle_s), now=now)
    )  # fmt: skip


def devices(
    found: Counted, judged: Judged | None, changed: Changed | None, *, is_over_at: datetime, now: datetime
) -> frozenset[str] | None:  # fmt: skip
    """The devices of a day that have to be judged again; None: all of them."""
    if judged is None or changed is None:
        return None
    # Of most of them: the whole costs less than choosing.
    if len(changed.devices) > min(QUALITY_MAX_DEVICES, judged.devices // 2):
        return None
    if found != Counted(judged.counted.readings + changed.readings, judged.counted.odd):
        return None
    if judged.computed < is_over_at <= now:
        return None
    return changed.devices


def _is_due(found: Counted, judged: Judged | None, *, is_over_at: datetime, now: datetime) -> bool:
    if judged is None:
        return True
    if not found.readings and judged.counted.readings:
        return False
    return found != judged.counted or judged.computed < is_over_at <= now


def _silent(found: Mapping[date, Counted], today: date) -> set[date]:
    """Days without readings, while series that spoke before are expected."""
    spoken = sorted(day for day, counted in found.items() if counted.readings and day <= today)
    after = {day + _DAY * step for day in spoken for step in range(1, USUAL_DAYS + 1)}
    return {day for day in after if day <= today and day not in found}


def read_until(properties: Mapping[str, str]) -> dict[date, int]:
    """Running days and up to when they were judged, in microseconds since 1970; nothing where it is not said."""
    try:
        parts = [part.partition("=") for part in properties.get(_UNTIL, "").split()]
        return {date.fromisoformat(day): int(until_us) for day, _, until_us in parts}
    except ValueError:
        return {}


def write_until(known: Mapping[date, int], day: date, until_us: int | None) -> dict[str, str]:
    """The property with a day that was judged; None: it is over."""
    days = {each: at for each, at in known.items() if each != day and day - each < 2 * _DAY}
    if until_us is not None:
        days[day] = until_us
    return {_UNTIL: " ".join(f"{each}={at}" for each, at in sorted(days.items()))}
