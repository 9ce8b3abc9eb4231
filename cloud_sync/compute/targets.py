"""A table that is computed: from which other, with which columns, and by which expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform, MonthTransform, Transform, YearTransform
from pyiceberg.types import DoubleType, LongType, NestedField, StringType, TimestamptzType

from cloud_sync.compute import rollups
from cloud_sync.compute.described import commented, words
from cloud_sync.compute.features import Wanted, columns_of, features
from cloud_sync.maintain.writer import arrow_schema
from headrace.catalog.schemas import described
from headrace.catalog.words import words_of
from headrace.lake.readings import READINGS_SCHEMA

READINGS: Final = "readings"
MINUTES, HOURS, DAYS = "readings_1m", "readings_1h", "readings_1d"

_STATISTICS: Final = ("sum", "min", "max", "mean", "first", "last")
_TIME_ID: Final = 5


@dataclass(frozen=True, slots=True)
class Target:
    """One table; ``back_us``: how far before a day its rows need those of ``source``."""

    name: str
    source: str
    columns: pa.Schema  # of the source
    schema: Schema
    partitions: PartitionSpec
    expression: Callable[[Any], Any]
    definition: str
    comment: str
    back_us: int = 0
    wanted: Wanted | None = None  # of features


def rollup_targets() -> tuple[Target, ...]:
    """Minutes from readings, hours from minutes, days from hours."""
    schema = _rollup()
    raw = _columns(READINGS_SCHEMA, *rollups.KEYS, "time", "value", "seq")
    finer = _columns(arrow_schema(schema), *rollups.KEYS, "time", "count", *_STATISTICS)
    by_day, by_month = _by("day", DayTransform()), _by("month", MonthTransform())
    return (
        _rolled(MINUTES, READINGS, raw, schema, by_day, rollups.minutes),
        _rolled(HOURS, MINUTES, finer, schema, by_month, rollups.hours),
        _rolled(DAYS, HOURS, finer, schema, _by("year", YearTransform()), rollups.days),
    )


def _rolled(
    name: str, source: str, columns: pa.Schema, schema: Schema, partitions: PartitionSpec,
    expression: Callable[[Any], Any],
) -> Target:  # fmt: skip
    return Target(
        name, source, columns, described(name, schema), partitions, expression, "1",
        words_of(name).comment,
    )  # fmt: skip


def feature_target(name: str, wanted: Wanted) -> Target:
    """Features of a job."""
    numbers = _doubles(columns_of(wanted), 6, required=False)
    schema = commented(_schema(numbers, has_series=False), wanted)
    source = {rollups.MINUTE_US: MINUTES, rollups.HOUR_US: HOURS}[wanted.step_us]
    columns = _columns(arrow_schema(_rollup()), *rollups.KEYS, "time", "count", "sum", "min", "max")
    return Target(
        name, source, columns, schema, _by("day", DayTransform()),
        lambda rows: features(rows, wanted), wanted.said(), words(wanted, {}).comment,
        wanted.back_us, wanted,
    )  # fmt: skip


def _columns(schema: pa.Schema, *names: str) -> pa.Schema:
    """Columns of a source, with labels as the texts that they are."""
    return pa.schema([(name, _plain(schema.field(name).type)) for name in names])


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _rollup() -> Schema:
    count = NestedField(6, "count", LongType(), required=True)
    return _schema([count, *_doubles(_STATISTICS, 7)])


def _schema(fields: list[NestedField], *, has_series: bool = True) -> Schema:
    series = [
        NestedField(3, "name", StringType(), required=True),
        NestedField(4, "unit", StringType()),
    ]
    return Schema(
        NestedField(1, "site", StringType(), required=True),
        NestedField(2, "device", StringType(), required=True),
        *(series if has_series else []),
        NestedField(_TIME_ID, "time", TimestamptzType(), required=True),
        *fields,
    )


def _doubles(names: tuple[str, ...], first: int, *, required: bool = True) -> list[NestedField]:
    return [
        NestedField(first + at, name, DoubleType(), required=required)
        for at, name in enumerate(names)
    ]


def _by(name: str, transform: Transform[Any, Any]) -> PartitionSpec:
    """By the day where a day has many rows; coarser where a long look should open few files."""
    return PartitionSpec(
        PartitionField(source_id=_TIME_ID, field_id=1000, transform=transform, name=name)
    )
