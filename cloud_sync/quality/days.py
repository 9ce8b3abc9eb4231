"""Which days are to be computed: pure, from counts.

The table ``quality`` says itself what it was computed from: the sum of its readings of a day is what the day had
then. Where the table of readings has another number now, readings came late (or an import brought them), and
this day is computed again, no other. Compaction changes no number. A day that was still running is computed once
more when it is over, because only then what is missing at its end counts.

A day without any reading is judged too, as long as series are expected: a site that is silent has no
files, and that is what one wants to know. A day whose readings retention has taken stays as it was judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from headrace.limits.quality import USUAL_DAYS

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Counted:
    """Readings of a day, and those with odd times that arrived on it."""

    readings: int = 0
    odd: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """What the table of quality says of a day."""

    counted: Counted
    computed: datetime


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
