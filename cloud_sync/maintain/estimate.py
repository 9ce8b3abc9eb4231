"""What a round would make of a day: the merges that it would do, and how many bytes come of them.

Which files are merged with which follows from names and sizes alone (``runs``), so it is gone through merge by merge as
a round would. What a merged file takes is measured: some rows of it are merged and encoded, and thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.table import Table

from cloud_sync.config import Maintain
from cloud_sync.landing.encoding import options
from cloud_sync.maintain.compaction import merged
from cloud_sync.maintain.merge import NotInOrderError, UnusableFileError
from cloud_sync.maintain.report import Size
from cloud_sync.maintain.runs import Choice, File, file_name, runs_of, side_by_side
from cloud_sync.maintain.writer import row_groups
from headrace.limits.maintain import ESTIMATE_ROWS, MERGE_LEVEL

#: What a round would merge next of some files.
Choose = Callable[[Sequence[File]], Choice | None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """How a day would be then, and in how many commits."""

    after: Size
    merges: int


def estimate(
    table: Table, files: Sequence[File], maintain: Maintain, choose: Choose
) -> Estimate | None:
    """What a round would make of a day's files; None where it would leave them."""
    choice = choose(files)
    if choice is None:
        return None
    per_row = _bytes_per_row(table, files, maintain)
    made: set[File] = set()
    now = list(files)
    merges = 0
    while choice is not None:
        gone = {file for run in choice.runs for file in run.files}
        come = _come(choice, merges, per_row, maintain)
        merges += 1
        made = (made - gone) | set(come)
        now = [file for file in now if file not in gone] + come
        choice = choose(now)
    after = Size(len(now), sum(file.bytes for file in now), sum(file.rows for file in now))
    return Estimate(after, merges)


def _come(
    choice: Choice, number: int, per_row: Callable[[bool], float], maintain: Maintain
) -> list[File]:
    """The files of a merge: of the target size, and what is left."""
    rows = sum(run.rows for run in choice.runs)
    total = round(per_row(choice.is_dense) * rows)
    count = max(1, -(-total // maintain.target_bytes))
    job = f"20000101T000000Z-{number:08x}"
    return [
        File(
            f"/{file_name(job, at, is_dense=choice.is_dense)}",
            total // count, rows // count + (rows % count if at == 0 else 0),
        )
        for at in range(count)
    ]  # fmt: skip


def _bytes_per_row(
    table: Table, files: Sequence[File], maintain: Maintain
) -> Callable[[bool], float]:
    """By whether it is dense; measured once for each."""
    known: dict[bool, float] = {}

    def per_row(is_dense: bool) -> float:
        if is_dense not in known:
            level = maintain.level if is_dense else MERGE_LEVEL
            known[is_dense] = _measured(table, files, is_dense=is_dense, level=level)
        return known[is_dense]

    return per_row


def _measured(table: Table, files: Sequence[File], *, is_dense: bool, level: int) -> float:
    """By the first row group of the largest runs."""
    largest_first = sorted(runs_of(files), key=lambda run: run.bytes, reverse=True)
    runs = side_by_side(largest_first)
    as_it_is = sum(file.bytes for file in files) / max(1, sum(file.rows for file in files))
    try:
        groups = row_groups(merged(table, Choice(tuple(runs), is_dense=is_dense)))
        first = next(islice(groups, 1), None)
    except (NotInOrderError, UnusableFileError):  # a dry run does not sort files of others
        return as_it_is
    if first is None:
        return as_it_is
    sample = first.slice(0, ESTIMATE_ROWS)
    per_row: float = _encoded_bytes(sample, level) / sample.num_rows
    return per_row


def _encoded_bytes(sample: pa.Table, level: int) -> int:
    sink = pa.BufferOutputStream()
    pq.write_table(sample, sink, **options(sample, level=level, is_thorough=True))
    return int(sink.tell())
