"""Readings as encoded Parquet files, one per UTC day of reading time, and one of odd times.

One day per file, because the Iceberg table is partitioned by day and infers a file's partition from
the statistics of its times. The files carry no Iceberg field ids: the table maps columns by name, so
a site needs to know nothing of the table. ``encoding`` says how they are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cloud_sync.landing.encoding import landing_level, options
from headrace.limits.lake import PARQUET_ROW_GROUP_ROWS
from headrace.odd_times import ODD

DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class DayFile:
    """One encoded file; times are microseconds since 1970 UTC, inclusive."""

    day: str
    data: pa.Buffer
    rows: int
    sha256: str
    min_time: int
    max_time: int


def apart(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Readings of ordinary days, and those whose time cannot be right."""
    clock = table.column("clock")
    if not any(ODD in chunk.dictionary.to_pylist() for chunk in clock.chunks):
        return table, table.slice(0, 0)
    is_odd = pc.fill_null(pc.equal(clock.cast(pa.utf8()), ODD), False)
    return table.filter(pc.invert(is_odd)), table.filter(is_odd)


def encode_odd(table: pa.Table) -> DayFile | None:
    """Readings with odd times as one file, whatever their days; None when there are none."""
    if table.num_rows == 0:
        return None
    times = table.column("time").cast(pa.int64())
    return _encode(table, pc.min(times).as_py(), pc.max(times).as_py())


def encode_days(table: pa.Table) -> Iterator[DayFile]:
    """One file per UTC day of reading time, in order of the days; rows keep their order."""
    if table.num_rows == 0:
        return
    times = (
        table.column("time").to_numpy(zero_copy_only=False).astype("datetime64[us]").view(np.int64)
    )
    first, last = int(times.min()), int(times.max())
    if first // DAY_US == last // DAY_US:
        yield _encode(table, first, last)
        return
    days = times // DAY_US
    order = np.argsort(days, kind="stable")
    bounds = np.flatnonzero(np.diff(days[order], prepend=-1, append=-1))
    for start, end in pairwise(bounds):
        rows = order[start:end]
        part = times[rows]
        yield _encode(table.take(pa.array(rows)), int(part.min()), int(part.max()))


def _encode(table: pa.Table, first: int, last: int) -> DayFile:
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=PARQUET_ROW_GROUP_ROWS,
        **options(table, level=landing_level(table.num_rows)),
    )
    data = sink.getvalue()
    day = datetime.fromtimestamp(first // 1_000_000, UTC).date().isoformat()
    return DayFile(day, data, table.num_rows, hashlib.sha256(data).hexdigest(), first, last)
