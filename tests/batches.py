"""Readings and payloads for tests."""

from __future__ import annotations

import pyarrow as pa

from headrace.codecs import BATCH_SCHEMA, arrow

T0 = 1_750_000_000_000_000


def rows(
    count: int, *, name: str = "flow", start: float = 0.0, time_us: int = T0
) -> pa.RecordBatch:
    """``count`` readings of one series, a second apart, with values counting up from ``start``."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array([name] * count, pa.utf8()).dictionary_encode(),
            pa.array([time_us + index * 1_000_000 for index in range(count)], pa.int64()).cast(
                pa.timestamp("us", tz="UTC")
            ),
            pa.array([start + index for index in range(count)], pa.float64()),
            pa.nulls(count, pa.utf8()),
        ],
        schema=BATCH_SCHEMA,
    )


def payload(stream: str, first: int, count: int, *, name: str = "flow") -> bytes:
    """An Arrow batch of readings ``first..first+count-1``; a reading's value is its seq."""
    return arrow.encode(
        rows(count, name=name, start=float(first), time_us=T0 + first * 1_000_000),
        stream=stream,
        first_seq=first,
        boot="boot-1",
        clock="synced",
    )
