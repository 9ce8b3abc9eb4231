"""What a day would take when it is compacted: some of it is merged and encoded, and thrown away."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.table import Table

from cloud_sync.config import Maintain
from cloud_sync.landing.encoding import options
from cloud_sync.maintain.compaction import merged
from cloud_sync.maintain.merge import NotInOrderError
from cloud_sync.maintain.report import Size
from cloud_sync.maintain.runs import Choice, File, runs_of, side_by_side
from cloud_sync.maintain.writer import row_groups
from headrace.limits.maintain import ESTIMATE_ROWS


def estimate(table: Table, files: Sequence[File], maintain: Maintain) -> Size:
    """Files and bytes after a dense compaction, by the first row group of it."""
    rows = sum(file.rows for file in files)
    largest_first = sorted(runs_of(files), key=lambda run: run.bytes, reverse=True)
    runs = side_by_side(largest_first)
    try:
        groups = row_groups(merged(table, Choice(tuple(runs), is_dense=True)))
        first = next(islice(groups, 1), None)
    except NotInOrderError:  # a dry run does not sort files of others
        return Size(1, sum(file.bytes for file in files), rows)
    if first is None:
        return Size(0, 0, 0)
    sample = first.slice(0, ESTIMATE_ROWS)
    per_row = _encoded_bytes(sample, maintain.level) / sample.num_rows
    total = round(per_row * rows)
    return Size(max(1, -(-total // maintain.target_bytes)), total, rows)


def _encoded_bytes(sample: pa.Table, level: int) -> int:
    sink = pa.BufferOutputStream()
    pq.write_table(sample, sink, **options(sample, level=level, is_thorough=True))
    return int(sink.tell())
