"""Whole days, one after the other: what services that count people export."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from headrace.clock import Clock
from headrace.config import FaultList


def check_day(text: str, key: str, found: FaultList) -> None:
    """An ISO date."""
    try:
        date.fromisoformat(text)
    except ValueError:
        found.add(key, f"expected a date like 2026-01-31, got {text!r}")


def days(first: date, clock: Clock, *, zone: str, lag_days: int) -> Iterator[date]:
    """Days from the first up to the one that ended ``lag_days`` days ago, in a zone."""
    today = datetime.fromtimestamp(clock.now_us() / 1e6, UTC).astimezone(ZoneInfo(zone)).date()
    last = today - timedelta(days=1 + lag_days)
    while first <= last:
        yield first
        first += timedelta(days=1)
