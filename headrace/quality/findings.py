"""What is remarkable in the rows of quality, in sentences: pure.

Rows are cut down in columns first; a sentence is made for those only that have something to say. A series that
has few different values all the time is a state, and a state may stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from headrace.limits.quality import FLAT_S, INCOMPLETE_BELOW, STATES

#: From the gravest on.
KINDS: Final = (
    "silent", "incomplete", "conflicts", "unit", "type", "not finite", "odd times", "ahead", "clock",
    "flat", "outliers", "duplicates",
)  # fmt: skip


class Finding(msgspec.Struct, frozen=True):
    """One remark about a series on a day."""

    kind: str
    day: date
    site: str
    device: str
    name: str
    says: str


def findings(rows: pa.Table) -> list[Finding]:
    """All remarks, by kind, the newest first."""
    moving = _moving(rows)
    found = [
        finding
        for row in rows.filter(_remarkable(rows)).to_pylist()
        for finding in _of(row, is_moving=_key(row) in moving)
    ]
    return sorted(
        found,
        key=lambda each: (
            KINDS.index(each.kind), -each.day.toordinal(), each.site, each.device, each.name,
        ),
    )  # fmt: skip


def _moving(rows: pa.Table) -> set[tuple[str, str, str]]:
    """Series with more values than a state has, on any of the days."""
    many = rows.filter(pc.greater(rows.column("distinct_values"), STATES))
    each = many.select(["site", "device", "name"]).to_pydict()
    return set(zip(each["site"], each["device"], each["name"], strict=True))


def _remarkable(rows: pa.Table) -> Any:
    """A mask of the rows that may have something to say."""
    masks = [pc.less(rows.column("completeness"), INCOMPLETE_BELOW)]
    masks += [pc.greater(rows.column("flat_s"), FLAT_S), pc.greater(rows.column("units"), 1)]
    for name in (
        "gaps", "outliers", "duplicates", "conflicts", "not_finite", "unsynced", "ahead", "odd", "texts",
    ):  # fmt: skip
        masks.append(pc.greater(rows.column(name), 0))
    mask = pc.fill_null(masks[0], False)
    for other in masks[1:]:
        mask = pc.or_(mask, pc.fill_null(other, False))
    return mask


def _of(row: dict[str, Any], *, is_moving: bool) -> Iterator[Finding]:
    for kind, says in [*_presence(row), *_content(row), *_times(row)]:
        yield Finding(kind, row["date"], *_key(row), says)
    if is_moving and (row["flat_s"] or 0) >= FLAT_S:
        says = f"does not change for {span(row['flat_s'])}, from {_clock(row['flat_start'])} on"
        yield Finding("flat", row["date"], *_key(row), says)


def _presence(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    completeness = row["completeness"]
    if completeness is None:
        return
    if not row["readings"]:
        yield "silent", f"no reading; expected every {span(row['interval_s'])}"
    elif completeness < INCOMPLETE_BELOW or row["gaps"]:
        says = f"{completeness:.1%} of what is expected, {row['missing']:,} readings are missing"
        if row["gaps"]:
            says += (
                f"; {_counted(row['gaps'], 'gap')}, the longest {span(row['longest_gap_s'])} "
                f"from {_clock(row['longest_gap_start'])} on"
            )
        yield "incomplete", says


def _content(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if row["outliers"]:
        yield (
            "outliers",
            (
                f"{_counted(row['outliers'], 'value')} far from the median {row['median']:g} "
                f"(MAD {row['mad']:.3g}), the farthest {row['outlier_value']:g} at {_clock(row['outlier_time'])}"
            ),
        )
    if row["conflicts"]:
        yield (
            "conflicts",
            f"{_counted(row['conflicts'], 'reading')} with the time of another and a different value",
        )
    if row["duplicates"]:
        yield (
            "duplicates",
            f"{_counted(row['duplicates'], 'reading')} repeat time and value of another",
        )
    if row["not_finite"]:
        yield "not finite", f"{_counted(row['not_finite'], 'value')} not a number, or infinite"
    if row["units"] > 1:
        yield "unit", f"{row['units']} different units; the newest is {row['unit'] or 'none'}"
    if 0 < row["texts"] < row["readings"]:
        yield "type", f"{row['texts']:,} texts among {row['readings']:,} readings"


def _times(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if row["odd"]:
        yield (
            "odd times",
            f"{_counted(row['odd'], 'reading')} arrived with a time that cannot be right",
        )
    if row["ahead"]:
        yield "ahead", f"{_counted(row['ahead'], 'reading')} dated after the arrival"
    if row["unsynced"]:
        yield (
            "clock",
            f"{_counted(row['unsynced'], 'reading')} taken while the device's clock was not set",
        )


def span(seconds: float | None) -> str:
    """A time in two units at most: ``2 h 10 min``."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3_600:
        return f"{seconds / 60:.3g} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def by_kind(found: Sequence[Finding]) -> dict[str, int]:
    """How many there are of each kind, the gravest first."""
    kinds = [each.kind for each in found]
    return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["site"], row["device"], row["name"]


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _clock(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(UTC):%H:%M:%S}"
