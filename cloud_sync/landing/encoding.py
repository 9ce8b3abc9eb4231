"""How columns are encoded in Parquet: cheaply when they land, densely when a day is compacted.

Sequence numbers are near their neighbours (delta); labels repeat (dictionary). Values stand as they are (plain): what a
sensor sends has few digits, so the same float64, or the lower bytes of it, comes again and again, and zstd finds
that when whole values stand side by side. Times have two natures: regular ones vanish as differences (delta), and
arrivals nearly do; those of a poll that is some milliseconds late come again with every series of the device, and
zstd finds them plain. No statistics tell these apart as well as trying, with a part of the column at landing, with a row
group at compaction.

Byte stream split is left out, although numbers without regularity take a sixth less with it: Spark 4.0 refuses such
a file (docs/decisions/0031-bytes-of-a-reading.md has the table).

A page is as long as a row group. zstd sees no further than its page, and Arrow's own 20,000 rows cost
a tenth to a quarter of the size; nothing reads less than a row group anyway. Large landings,
whose CPU counts, have a low level, and small ones, of which a site has one a minute, a high one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.limits.lake import (
    PARQUET_LANDING_LEVEL,
    PARQUET_PAGE_BYTES,
    PARQUET_ROW_GROUP_ROWS,
    PARQUET_SAMPLE_ROWS,
    PARQUET_SMALL_LEVEL,
    PARQUET_SMALL_ROWS,
    PARQUET_TRIAL_LEVEL,
)

_PLAIN: Final = "PLAIN"
_DELTA: Final = "DELTA_BINARY_PACKED"

#: Labels that queries are cut down by. Statistics of all columns cost a tenth of the time of landing.
_STATISTICS: Final = frozenset({"site", "device", "name"})


def landing_level(rows: int) -> int:
    """zstd's level of a landed file."""
    return PARQUET_SMALL_LEVEL if rows <= PARQUET_SMALL_ROWS else PARQUET_LANDING_LEVEL


def options(table: pa.Table, *, level: int, is_thorough: bool = False) -> dict[str, Any]:
    """Arguments of a Parquet writer for tables like this one.

    Args:
        table: what is written first; it decides for the whole file.
        level: of zstd.
        is_thorough: try everything, with all of the table.
    """
    return {
        "compression": "zstd",
        "compression_level": level,
        "use_dictionary": [each.name for each in table.schema if pa.types.is_dictionary(each.type)],
        "column_encoding": _encodings(table, level, is_thorough),
        "write_statistics": [
            each.name for each in table.schema if _has_statistics(each, is_thorough)
        ],
        "data_page_size": PARQUET_PAGE_BYTES,
        "max_rows_per_page": PARQUET_ROW_GROUP_ROWS,
        # Arrow's own schema would tell readers of dictionaries and is nothing to Iceberg.
        "store_schema": False,
    }


def _has_statistics(field: pa.Field, is_thorough: bool) -> bool:
    """What queries are cut down by; when there is time, everything but texts that seldom repeat."""
    if is_thorough:
        return not (pa.types.is_string(field.type) or pa.types.is_binary(field.type))
    return field.name in _STATISTICS or pa.types.is_timestamp(field.type)


def _encodings(table: pa.Table, level: int, is_thorough: bool) -> dict[str, str]:
    rows = table.num_rows if is_thorough else PARQUET_SAMPLE_ROWS
    found: dict[str, str] = {}
    for field in table.schema:
        if pa.types.is_floating(field.type):
            found[field.name] = _PLAIN
        elif pa.types.is_timestamp(field.type):
            column = table.column(field.name)
            found[field.name] = _smallest(column, (_DELTA, _PLAIN), rows, level)
        elif pa.types.is_integer(field.type):
            found[field.name] = _DELTA
    return found


def _smallest(column: pa.ChunkedArray, encodings: Sequence[str], rows: int, level: int) -> str:
    """The best encoding of the middle of a column; the first where it does not matter."""
    start = max(0, (len(column) - rows) // 2)
    sample = pa.table({"value": column.slice(start, rows)})
    return min(encodings, key=lambda encoding: _size(sample, encoding, level))


def _size(sample: pa.Table, encoding: str, level: int) -> int:
    sink = pa.BufferOutputStream()
    pq.write_table(
        sample, sink, compression="zstd", compression_level=min(level, PARQUET_TRIAL_LEVEL), use_dictionary=False,
        column_encoding={"value": encoding}, write_statistics=False,
        data_page_size=PARQUET_PAGE_BYTES, max_rows_per_page=PARQUET_ROW_GROUP_ROWS,
    )  # fmt: skip
    return int(sink.tell())
