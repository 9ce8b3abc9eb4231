"""The rows of quality in numbers: all together, by day, by series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_KEY: Final = ["site", "device", "name"]


class Totals(msgspec.Struct, frozen=True):
    """All days and series together; ``completeness`` is of those that speak regularly."""

    series: int
    devices: int
    readings: int
    completeness: float | None
    missing: int
    gaps: int
    duplicates: int
    conflicts: int
    outliers: int
    unsynced: int
    odd: int


class DayTotals(msgspec.Struct, frozen=True):
    """One day."""

    day: date
    readings: int
    completeness: float | None


def totals(rows: pa.Table) -> Totals:
    """Sums over everything."""
    return Totals(
        series=rows.select(_KEY).group_by(_KEY).aggregate([]).num_rows,
        devices=rows.select(_KEY[:2]).group_by(_KEY[:2]).aggregate([]).num_rows,
        readings=_sum(rows, "readings"), completeness=_share(rows), missing=_sum(rows, "missing"),
        gaps=_sum(rows, "gaps"), duplicates=_sum(rows, "duplicates"),
        conflicts=_sum(rows, "conflicts"), outliers=_sum(rows, "outliers"),
        unsynced=_sum(rows, "unsynced"), odd=_sum(rows, "odd"),
    )  # fmt: skip


def by_day(rows: pa.Table, days: Sequence[date]) -> list[DayTotals]:
    """Each day, also those without rows."""
    found = []
    for day in days:
        own = rows.filter(pc.equal(rows.column("date"), pa.scalar(day, pa.date32())))
        found.append(DayTotals(day, _sum(own, "readings"), _share(own)))
    return found


def worst(rows: pa.Table, limit: int) -> list[tuple[str, str, str]]:
    """The series with the least completeness, the worst first; irregular ones last."""
    named = rows.append_column("there", _times(rows)).append_column("wanted", _wanted(rows))
    each = named.group_by(_KEY).aggregate([("there", "sum"), ("wanted", "sum")])
    share = pc.divide(each.column("there_sum"), pc.cast(each.column("wanted_sum"), "float64"))
    ranked = each.append_column("share", share).sort_by(
        [("share", "ascending"), *((name, "ascending") for name in _KEY)]
    )
    return [tuple(row[name] for name in _KEY) for row in ranked.slice(0, limit).to_pylist()]


def cells(rows: pa.Table, chosen: Sequence[tuple[str, str, str]]) -> Mapping[Any, dict[str, Any]]:
    """Rows of the chosen series by series and day."""
    columns = [
        "date", *_KEY, "readings", "completeness", "missing", "gaps", "interval_s", "hours",
    ]  # fmt: skip
    wanted = set(chosen)
    names = pc.is_in(rows.column("name"), pa.array(sorted({name for *_, name in chosen})))
    found = rows.filter(names).select(columns).to_pylist() if chosen else []
    by_cell = {((row["site"], row["device"], row["name"]), row["date"]): row for row in found}
    return {key: row for key, row in by_cell.items() if key[0] in wanted}


def _times(rows: pa.Table) -> Any:
    """Different times of a series of which it is known how many should be there."""
    repeated = pc.add(rows.column("duplicates"), rows.column("conflicts"))
    times = pc.subtract(rows.column("readings"), repeated)
    return pc.if_else(pc.is_valid(rows.column("completeness")), times, None)


def _wanted(rows: pa.Table) -> Any:
    return pc.add(_times(rows), rows.column("missing"))


def _share(rows: pa.Table) -> float | None:
    wanted = pc.sum(_wanted(rows)).as_py()
    return pc.sum(_times(rows)).as_py() / wanted if wanted else None


def _sum(rows: pa.Table, name: str) -> int:
    return int(pc.sum(rows.column(name)).as_py() or 0)
