"""Rollups as expressions: of readings to a minute, of minutes to an hour, of hours to a day.

Times are microseconds since 1970 UTC as integers on the way: every engine has integers, and no two have the
same functions of time. Rows are per site, device, name and unit: a series that changes its unit has two rows
in that minute, because a sum of both means nothing. Readings without a finite number (texts, NaN) do not count.

Every column is a function of the rows alone, whatever their order, so engines agree to the last bit
(``exact`` says how far for sums). ``first`` and ``last`` go by time and, where times are equal, by seq; two streams
with the same time and the same seq leave it open, and so do seqs that are 2^36 apart.

Coarser rows are made of finer ones: ``sum`` is then the sum of sums that were rounded once each.
"""

from __future__ import annotations

from typing import Any, Final

from cloud_sync.compute.exact import part_columns, split, sums, total

KEYS: Final = ("device", "name", "site", "unit")
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US

_LARGEST: Final = 1.7976931348623157e308
#: A place in a minute takes 26 bits of an integer of 63; the others are the seq's.
_SEQS: Final = 2**36


def minutes(readings: Any) -> Any:
    """Readings by the minute."""
    # NaN is more than any number, for both engines.
    rows = readings.filter(readings["value"].abs() <= _LARGEST)
    rows = rows.mutate(
        unit=rows["unit"].fill_null(""),
        place=(rows["time"] % MINUTE_US) * _SEQS + rows["seq"] % _SEQS,
        time=rows["time"] - rows["time"] % MINUTE_US,
    )
    rows = split(rows, "value")
    found = rows.group_by([*KEYS, "time"]).aggregate(
        count=rows.count(),
        min=rows["value"].min(),
        max=rows["value"].max(),
        first=rows["value"].argmin(rows["place"]),
        last=rows["value"].argmax(rows["place"]),
        **sums(rows, "value"),
    )
    return _finished(found, "value")


def hours(minutes: Any) -> Any:
    """Minutes by the hour."""
    return _coarser(minutes, HOUR_US)


def days(hours: Any) -> Any:
    """Hours by the day."""
    return _coarser(hours, DAY_US)


def _coarser(finer: Any, step_us: int) -> Any:
    rows = finer.mutate(
        unit=finer["unit"].fill_null(""),
        at=finer["time"],
        time=finer["time"] - finer["time"] % step_us,
    )
    rows = split(rows, "sum")
    found = rows.group_by([*KEYS, "time"]).aggregate(
        count=rows["count"].sum().cast("int64"),
        min=rows["min"].min(),
        max=rows["max"].max(),
        first=rows["first"].argmin(rows["at"]),
        last=rows["last"].argmax(rows["at"]),
        **sums(rows, "sum"),
    )
    return _finished(found, "sum")


def _finished(found: Any, name: str) -> Any:
    """The columns as they are stored; a zero is never -0.0, which engines take for equal and either for less."""
    found = found.mutate(sum=total([found[part] for part in part_columns(name)]))
    return found.select(
        *KEYS, "time", "count", "sum",
        min=found["min"] + 0.0, max=found["max"] + 0.0,
        mean=found["sum"] / found["count"].cast("float64"),
        first=found["first"] + 0.0, last=found["last"] + 0.0,
    )  # fmt: skip
