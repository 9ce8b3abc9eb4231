"""The newest reading of each series, kept beside the table: ``latest/state.parquet``.

"The last value of everything" is what dashboards ask most and what a lake answers worst: the answer is
one row in ten thousand, spread over every row group of the newest files, and for a silent series over
all files. So whoever registers keeps the answer: a table of one row a series, and how far it goes in
each journal, in the terms of the watermarks. A reader adds what landed behind that and the journal's
tail, which is what it does for ``readings`` too.

The state is a function of what has landed, and of nothing else. If it is lost, it is made again from the
table; if its writer is killed, the one before stays. Readings with odd times are not in it. A row that
was removed from the table by retention stays the newest of its series until the series speaks again.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headrace.codecs.columns import TIME_TYPE
from headrace.errors import LakeError
from headrace.lake.store import Store
from headrace.odd_times import ODD

PATH: Final = "latest/state.parquet"
_MARKS: Final = b"headrace.marks"

SCHEMA: Final = pa.schema(
    [
        pa.field("site", pa.utf8(), nullable=False),
        pa.field("device", pa.utf8(), nullable=False),
        pa.field("name", pa.utf8(), nullable=False),
        pa.field("time", TIME_TYPE, nullable=False),
        pa.field("value", pa.float64()),
        pa.field("text", pa.utf8()),
        pa.field("unit", pa.utf8()),
        pa.field("received", TIME_TYPE, nullable=False),
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("clock", pa.utf8()),
    ]
)

#: What the view ``latest`` shows of it, in its order.
COLUMNS: Final = pa.schema(
    [SCHEMA.field(name) for name in ("site", "device", "name", "time", "value", "text", "unit")]
)


@dataclass(frozen=True, slots=True)
class State:
    """Rows of ``SCHEMA``, one a series, and the last offset of each journal that is in them."""

    marks: Mapping[str, int]
    rows: pa.Table


def load(store: Store) -> State | None:
    """The state as it is; None before the first.

    Raises:
        LakeError: it is there and cannot be read.
    """
    data = store.get(PATH)
    if data is None:
        return None
    try:
        rows = pq.read_table(io.BytesIO(data))
        marks = msgspec.json.decode((rows.schema.metadata or {})[_MARKS], type=dict[str, int])
        return State(marks, rows.select(SCHEMA.names).cast(SCHEMA))
    except (pa.ArrowException, msgspec.MsgspecError, KeyError, ValueError) as error:
        raise LakeError(
            f"{PATH}: cannot be read: {error}", hint="delete it; cloud-sync makes it again"
        ) from error


def save(store: Store, state: State) -> None:
    """Replace the state."""
    sink = pa.BufferOutputStream()
    named = state.rows.replace_schema_metadata({_MARKS: msgspec.json.encode(dict(state.marks))})
    pq.write_table(named, sink, compression="zstd")
    store.put(PATH, sink.getvalue())


def merge(parts: Iterable[pa.Table]) -> pa.Table:
    """The newest row of each series in several tables."""
    return newest(pa.concat_tables([SCHEMA.empty_table(), *parts]))


def newest(table: pa.Table) -> pa.Table:
    """The newest row of each series, by time, then by arrival, then by number.

    Files are in order of the series and their times, so a look at where a series ends is enough; what is
    in no such order is sorted.
    """
    plain = table.select(SCHEMA.names)
    clock = plain.column("clock").cast(pa.utf8())
    if pc.any(pc.equal(clock, ODD)).as_py():
        plain = plain.filter(pc.fill_null(pc.not_equal(clock, ODD), True))
    if plain.num_rows == 0:
        return SCHEMA.empty_table()
    series, times = _series(plain), _integers(plain, "time")
    ends = series[1:] != series[:-1]
    if np.all(ends | (times[1:] >= times[:-1])):
        plain = plain.take(pa.array(np.append(np.flatnonzero(ends), len(series) - 1)))
        series, times = _series(plain), _integers(plain, "time")
    order = np.lexsort((_integers(plain, "seq"), _integers(plain, "received"), times, series))
    ordered = series[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    return plain.take(pa.array(order[last])).cast(SCHEMA).combine_chunks()


def _series(table: pa.Table) -> NDArray[np.int64]:
    """A number for each row's series, which says nothing of their order."""
    numbers = np.zeros(table.num_rows, np.int64)
    for name in ("site", "device", "name"):
        codes, count = _codes(table.column(name))
        numbers = numbers * count + codes
    return numbers


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[Any], int]:
    encoded = column.cast(pa.utf8()).dictionary_encode().combine_chunks()
    one = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    return one.indices.to_numpy(zero_copy_only=False), max(1, len(one.dictionary))


def _integers(table: pa.Table, name: str) -> NDArray[np.int64]:
    found: NDArray[np.int64] = table.column(name).cast(pa.int64()).to_numpy()
    return found
