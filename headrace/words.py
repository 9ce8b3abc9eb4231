"""Ages, times and amounts in words for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

#: How a terminal shows the states of an alert.
STATE_STYLE: Final = {"firing": "bold red", "pending": "yellow", "resolved": "green"}


def age(seconds: float) -> str:
    """``3 s ago``, ``5 min ago``, ``2 h ago``, ``4 d ago``."""
    if seconds < 0:
        return "in the future"
    for limit, unit, size in ((60, "s", 1), (3600, "min", 60), (86_400, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds / 86_400:.0f} d ago"


def when(time_us: int | None) -> str:
    """A time of day in UTC."""
    if not time_us:
        return "–"
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%H:%M:%S")


def instant(time_us: int) -> str:
    """A point in time: ISO 8601 in UTC, to the millisecond."""
    at = datetime.fromtimestamp(time_us / 1e6, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
