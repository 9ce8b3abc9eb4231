"""The order of a table's rows, and the runs of equal series in a piece of it.

Rows stand in order of device, name and time, as landing writes them: per site, (device, name, unit) and
then time. A table that lacks some of these columns is in order of those that it has; one without a time
is in the order of its files. Labels are dictionaries, so a string is looked at once a run of equal rows,
not once a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

LABELS: Final = ("device", "name", "site", "unit")
TIME: Final = "time"

Series = tuple[str, ...]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Order:
    """The columns that decide."""

    labels: tuple[str, ...]
    time: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows in order, with their series as runs: ``series[i]`` from row ``starts[i]`` on."""

    table: pa.Table
    series: list[Series]
    starts: Ints
    times: Ints

    @property
    def rows(self) -> int:
        return len(self.times)

    @property
    def first(self) -> tuple[Series, int]:
        return self.series[0], int(self.times[0])

    @property
    def last(self) -> tuple[Series, int]:
        return self.series[-1], int(self.times[-1])

    def lengths(self) -> Ints:
        return np.diff(self.starts, append=self.rows)

    def up_to(self, bound: tuple[Series, int]) -> int:
        """How many rows are not behind ``bound``."""
        series, time = bound
        for run in range(len(self.series) - 1, -1, -1):
            start = int(self.starts[run])
            end = int(self.starts[run + 1]) if run + 1 < len(self.series) else self.rows
            if self.series[run] < series:
                return end
            if self.series[run] == series:
                return start + int(np.searchsorted(self.times[start:end], time, side="right"))
        return 0

    def slice(self, start: int, end: int) -> Piece:
        """Rows ``start`` to ``end``, which must be some."""
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        last = int(np.searchsorted(self.starts, end, side="left"))
        starts = np.maximum(self.starts[first:last] - start, 0)
        table = self.table.slice(start, end - start)
        return Piece(table, self.series[first:last], starts, self.times[start:end])

    def is_in_order(self) -> bool:
        """Whether series ascend, and times in each."""
        if any(
            before >= after for before, after in zip(self.series, self.series[1:], strict=False)
        ):
            return False
        backwards = self.times[1:] < self.times[:-1]
        backwards[self.starts[1:] - 1] = False  # from the last of a series to the first of the next
        return not bool(np.any(backwards))


def order_of(schema: pa.Schema) -> Order:
    """The order that a table with these columns has."""
    labels = tuple(name for name in LABELS if name in schema.names)
    return Order(labels, TIME if TIME in schema.names else None)


def piece(table: pa.Table, order: Order) -> Piece:
    """A table (of one chunk a column) and its runs."""
    codes = [_codes(table.column(name)) for name in order.labels]
    changes = np.zeros(table.num_rows, np.bool_)
    changes[:1] = True
    for column, _ in codes:
        changes[1:] |= column[1:] != column[:-1]
    series: list[Series] = []
    starts: list[int] = []
    for start in np.flatnonzero(changes).tolist():
        each = tuple(labels[column[start]] for column, labels in codes)
        if not series or series[-1] != each:  # a label without text is as good as none
            series.append(each)
            starts.append(start)
    return Piece(table, series, np.array(starts, np.int64), _times(table, order))


def sort(pieces: Sequence[Piece]) -> pa.Table:
    """All rows of the pieces in order; equal ones in the order of the pieces."""
    if len(pieces) == 1 and pieces[0].is_in_order():
        return pieces[0].table
    rank = {each: at for at, each in enumerate(sorted({s for p in pieces for s in p.series}))}
    ranks = np.concatenate(
        [np.repeat([rank[each] for each in part.series], part.lengths()) for part in pieces]
    )
    times = np.concatenate([part.times for part in pieces])
    whole = pa.concat_tables([part.table for part in pieces]).unify_dictionaries().combine_chunks()
    return whole.take(pa.array(np.lexsort((times, ranks))))


def _codes(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """A label column as numbers, and what they stand for; the last is for null, which comes first."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of no rows
        array = pa.array([], column.type)
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, [*array.dictionary.to_pylist(), ""]


def _times(table: pa.Table, order: Order) -> Ints:
    if order.time is None:
        return np.zeros(table.num_rows, np.int64)
    return np.asarray(table.column(order.time).cast(pa.int64()).to_numpy())
