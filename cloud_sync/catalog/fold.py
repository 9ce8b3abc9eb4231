"""Readings to one row a series; and such rows, of more and more readings, to one row a series again.

Only labels, times and texts of a file are read. A series of which the unit changed has the newest; its count
is a sum, so whoever folds must fold each file once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headrace.codecs.columns import TIME_TYPE
from headrace.odd_times import ODD

#: What is read of a file of readings.
COLUMNS: Final = ("site", "device", "name", "time", "text", "unit", "clock")

SCHEMA: Final = pa.schema(
    [
        pa.field("site", pa.utf8(), nullable=False),
        pa.field("device", pa.utf8(), nullable=False),
        pa.field("name", pa.utf8(), nullable=False),
        pa.field("unit", pa.utf8()),
        pa.field("first_time", TIME_TYPE),
        pa.field("last_time", TIME_TYPE),
        pa.field("readings", pa.int64()),
        pa.field("texts", pa.int64()),
    ]
)
_SERIES: Final = ["site", "device", "name"]
_LABELS: Final = [*_SERIES, "unit"]


def of_readings(readings: pa.Table) -> pa.Table:
    """One row of ``SCHEMA`` a series of a file's columns; readings with odd times are not counted."""
    clock = readings.column("clock").cast(pa.utf8())
    if pc.any(pc.equal(clock, ODD)).as_py():
        readings = readings.filter(pc.fill_null(pc.not_equal(clock, ODD), True))
    counted = readings.group_by(_LABELS, use_threads=False).aggregate(
        [("time", "min"), ("time", "max"), ([], "count_all"), ("text", "count")]
    )
    found = counted.select([*_LABELS, "time_min", "time_max", "count_all", "text_count"])
    return merge([found.rename_columns(SCHEMA.names).cast(SCHEMA)])


def merge(parts: Iterable[pa.Table]) -> pa.Table:
    """One row a series, in order of the series."""
    rows = pa.concat_tables([SCHEMA.empty_table(), *parts]).sort_by("last_time")
    # In order of time, so that the last unit that is known is the newest: that wants one thread.
    merged = rows.group_by(_SERIES, use_threads=False).aggregate(
        [
            ("unit", "last"), ("first_time", "min"), ("last_time", "max"),
            ("readings", "sum"), ("texts", "sum"),
        ]
    )  # fmt: skip
    columns = [
        *_SERIES,
        "unit_last",
        "first_time_min",
        "last_time_max",
        "readings_sum",
        "texts_sum",
    ]
    plain = merged.select(columns).rename_columns(SCHEMA.names).cast(SCHEMA)
    return plain.sort_by([(name, "ascending") for name in _SERIES])


def types(rows: pa.Table) -> pa.ChunkedArray:
    """``number``, ``text`` or ``mixed`` for each series; null without readings."""
    texts, readings = rows.column("texts"), rows.column("readings")
    kinds = pc.if_else(
        pc.equal(texts, 0), "number", pc.if_else(pc.equal(texts, readings), "text", "mixed")
    )
    return pc.if_else(pc.greater(readings, 0), kinds, pa.scalar(None, pa.utf8()))


def alive(rows: pa.Table) -> pa.Table:
    """The series of which there are readings."""
    return rows.filter(pc.greater(rows.column("readings"), 0))


def with_gone(now: pa.Table, before: pa.Table) -> pa.Table:
    """These series, and without readings those that were there before: what there once was is worth knowing."""
    left = before.join(now.select(_SERIES), keys=_SERIES, join_type="left anti")
    nothing = pa.array([0] * left.num_rows, pa.int64())
    for name in ("readings", "texts"):
        left = left.set_column(left.schema.get_field_index(name), name, nothing)
    return merge([now, left.select(SCHEMA.names).cast(SCHEMA)])
