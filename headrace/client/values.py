"""What people hand over as times and parameters: Python's, numpy's and pandas' alike, as Python's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from headrace.errors import UsageError

Moment = str | date | datetime


def plain(value: Any) -> Any:
    """A value of numpy as Python has it; lists of them too. Others as they are."""
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if not kind:
        return value
    if kind == "M":  # of nanoseconds numpy makes a number
        value = value.astype("datetime64[us]")
    return value.tolist()


def moment(name: str, value: Any) -> Moment | None:
    """A time; without a zone it is UTC.

    Raises:
        UsageError: it is none.
    """
    if value is None or isinstance(value, str):
        return value
    found = plain(value)
    # pandas' NaT is a datetime that equals nothing, numpy's becomes None.
    if not isinstance(found, date) or found != found:
        raise UsageError(
            f"{name}: expected a time, got {value!r}",
            hint='"2026-11-23T08:00:00Z", or a datetime; without a zone it is UTC',
        )
    return found


def check_order(start: Moment | None, end: Moment | None) -> None:
    """Raises:
    UsageError: the end is before the start.
    """
    first, last = _instant(start), _instant(end)
    if first is not None and last is not None and last < first:
        raise UsageError(
            f"start {first.isoformat()} is after end {last.isoformat()}",
            hint="start is inclusive, end is not",
        )


def _instant(value: Moment | None) -> datetime | None:
    """None where only DuckDB can tell, as of a text with the name of a zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def texts(name: str, value: Any) -> list[str]:
    """One text or several; None is none.

    Raises:
        UsageError: there is something else among them.
    """
    found = [] if value is None else [value] if isinstance(value, str) else list(value)
    for each in found:
        if not isinstance(each, str):
            raise UsageError(f"{name}: expected texts, got {each!r}")
    return [str(each) for each in found]
