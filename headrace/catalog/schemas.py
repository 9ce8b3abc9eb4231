"""The columns of the tables ``series`` and ``quality``, and the words of any table as its comments.

Field ids are for life: a column that is added takes the next free one, also where another was removed.
"""

from __future__ import annotations

from typing import Final

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform
from pyiceberg.types import (
    DateType,
    DoubleType,
    IcebergType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    TimestamptzType,
)

from headrace.catalog.words import words_of

_TEXT: Final = StringType()
_TIME: Final = TimestamptzType()
_NUMBER: Final = DoubleType()
_COUNT: Final = LongType()

#: Element, key and value of nested columns, away from the columns' own ids.
_HOURS_ID: Final = 101
_TAGS_IDS: Final = (102, 103)


def described(table: str, schema: Schema) -> Schema:
    """The same columns with their comments."""
    words = words_of(table).columns
    return Schema(
        *(
            field.model_copy(update={"doc": words[field.name].comment})
            if field.name in words
            else field
            for field in schema.fields
        ),
        schema_id=schema.schema_id,
        identifier_field_ids=schema.identifier_field_ids,
    )


def _schema(table: str, required: int, *columns: tuple[str, IcebergType]) -> Schema:
    """Columns with ids from 1 on; the first ``required`` are never null."""
    fields = [
        NestedField(number, name, kind, required=number <= required)
        for number, (name, kind) in enumerate(columns, 1)
    ]
    return described(table, Schema(*fields))


_TAGS: Final = MapType(
    key_id=_TAGS_IDS[0],
    key_type=_TEXT,
    value_id=_TAGS_IDS[1],
    value_type=_TEXT,
    value_required=True,
)
_HOURS: Final = ListType(element_id=_HOURS_ID, element_type=_COUNT, element_required=True)

SERIES_COLUMNS: Final = _schema(
    "series", 3,
    ("site", _TEXT), ("device", _TEXT), ("name", _TEXT), ("unit", _TEXT), ("type", _TEXT),
    ("first_time", _TIME), ("last_time", _TIME), ("readings", _COUNT), ("texts", _COUNT),
    ("tags", _TAGS),
)  # fmt: skip

QUALITY_COLUMNS: Final = _schema(
    "quality", 4,
    ("date", DateType()), ("site", _TEXT), ("device", _TEXT), ("name", _TEXT), ("unit", _TEXT),
    ("readings", _COUNT), ("first_time", _TIME), ("last_time", _TIME), ("interval_s", _NUMBER),
    ("observed_s", _NUMBER), ("missing", _COUNT), ("completeness", _NUMBER), ("gaps", _COUNT),
    ("gap_s", _NUMBER), ("longest_gap_s", _NUMBER), ("longest_gap_start", _TIME),
    ("duplicates", _COUNT), ("conflicts", _COUNT), ("outliers", _COUNT),
    ("outlier_value", _NUMBER), ("outlier_time", _TIME), ("median", _NUMBER), ("mad", _NUMBER),
    ("minimum", _NUMBER), ("maximum", _NUMBER), ("distinct_values", _COUNT), ("flat_s", _NUMBER),
    ("flat_start", _TIME), ("not_finite", _COUNT), ("texts", _COUNT), ("units", _COUNT),
    ("unsynced", _COUNT), ("clockless", _COUNT), ("ahead", _COUNT), ("late_s", _NUMBER),
    ("odd", _COUNT), ("hours", _HOURS), ("computed", _TIME),
)  # fmt: skip

#: A day of quality is replaced as a whole, and retention goes by days.
QUALITY_PARTITIONS: Final = PartitionSpec(
    PartitionField(source_id=1, field_id=1000, transform=DayTransform(), name="day")
)
