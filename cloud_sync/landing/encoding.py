"""How columns are encoded in Parquet: cheaply when they land, densely when a day is compacted.

Times and sequence numbers are near their neighbours (delta); labels repeat (dictionary). What costs is
the value, and it has two natures. What a sensor sends has few digits: the same float64 comes again and
again, and zstd finds it when whole values stand side by side (plain). What was computed has none of
that, but neighbours share sign, exponent and first digits: bytes of one place together (byte stream
split). No statistics tell them apart as well as trying: a part of the column is encoded in both ways.

A page is as long as a row group. zstd sees no further than its page, and Arrow's own 20,000 rows cost
a tenth to a quarter of the size; nothing reads less than a row group anyway.

Measured, bytes per reading with everything (recorded pump rig; 17 pumps of 3 minutes; simulated pump;
random walk), and CPU per million readings; byte stream split at level 1 with short pages stood here before:

    before                      5.96   6.02   3.72   6.35    0.1 s
    landing: level 3            3.63   3.96   1.50   6.24    0.1 s
    compacted: level 19         2.92   3.13   1.29   6.19    1 to 4 s     (12: 3.16, 3.34, 1.47, 6.2; 0.4 s)
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.limits.lake import (
    PARQUET_PAGE_BYTES,
    PARQUET_ROW_GROUP_ROWS,
    PARQUET_SAMPLE_ROWS,
)

_SPLIT: Final = "BYTE_STREAM_SPLIT"
_PLAIN: Final = "PLAIN"
_DELTA: Final = "DELTA_BINARY_PACKED"

#: What queries are cut down by. Statistics of the others cost a tenth of the writing time.
_STATISTICS: Final = frozenset({"site", "device", "name"})


def options(table: pa.Table, *, level: int) -> dict[str, Any]:
    """Arguments of a Parquet writer for tables like this one.

    Args:
        table: what is written first; it decides for the whole file.
        level: of zstd.
    """
    return {
        "compression": "zstd",
        "compression_level": level,
        "use_dictionary": [each.name for each in table.schema if pa.types.is_dictionary(each.type)],
        "column_encoding": _encodings(table, level),
        "write_statistics": [each.name for each in table.schema if _has_statistics(each)],
        "data_page_size": PARQUET_PAGE_BYTES,
        "max_rows_per_page": PARQUET_ROW_GROUP_ROWS,
        # Arrow's own schema would tell readers of dictionaries and is nothing to Iceberg.
        "store_schema": False,
    }


def _has_statistics(field: pa.Field) -> bool:
    return field.name in _STATISTICS or pa.types.is_timestamp(field.type)


def _encodings(table: pa.Table, level: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for field in table.schema:
        if pa.types.is_floating(field.type):
            found[field.name] = _of_values(table.column(field.name), level)
        elif pa.types.is_timestamp(field.type) or pa.types.is_integer(field.type):
            found[field.name] = _DELTA
    return found


def _of_values(column: pa.ChunkedArray, level: int) -> str:
    """Which of the two is smaller, tried on the middle of the column; plain where it does not matter."""
    start = max(0, (len(column) - PARQUET_SAMPLE_ROWS) // 2)
    sample = pa.table({"value": column.slice(start, PARQUET_SAMPLE_ROWS)})
    return min((_PLAIN, _SPLIT), key=lambda encoding: _size(sample, encoding, level))


def _size(sample: pa.Table, encoding: str, level: int) -> int:
    sink = pa.BufferOutputStream()
    pq.write_table(
        sample, sink, compression="zstd", compression_level=min(level, 3), use_dictionary=False,
        column_encoding={"value": encoding}, write_statistics=False,
        data_page_size=PARQUET_PAGE_BYTES, max_rows_per_page=PARQUET_SAMPLE_ROWS,
    )  # fmt: skip
    return int(sink.tell())
