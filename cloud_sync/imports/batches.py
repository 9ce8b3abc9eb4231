"""A chunk's readings as journal batches: what no reading may be is taken out and counted, the rest is
brought into order of device and time, and cut into one batch a device, or several where they are large.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud_sync.imports.port import ROWS
from headrace.batch import DEVICE_PATTERN
from headrace.codecs import arrow
from headrace.codecs.columns import BATCH_SCHEMA, MAX_TIME_US, MIN_TIME_US
from headrace.limits.imports import IMPORT_BATCH_ROWS, IMPORT_BATCH_TEXT_BYTES
from headrace.limits.wire import MAX_NAME_CHARS, MAX_TEXT_BYTES

#: Reasons in the order in which they are looked for: a row is counted once.
BAD_TIME: Final = "bad_time"
BAD_DEVICE: Final = "bad_device"
BAD_NAME: Final = "bad_name"
TEXT_TOO_LONG: Final = "text_too_long"
NO_VALUE: Final = "no_value"


@dataclass(frozen=True, slots=True)
class Batch:
    """One journal row to be."""

    device: str
    rows: int
    payload: bytes


def sound(rows: pa.Table) -> tuple[pa.Table, Counter[str]]:
    """The readings that a lake may have, and how many rows are none, by reason."""
    refused: Counter[str] = Counter()
    for reason, holds in _CHECKS:
        keep = pc.fill_null(holds(rows), False)
        kept = int(pc.sum(keep).as_py() or 0)
        if kept < rows.num_rows:
            refused[reason] += rows.num_rows - kept
            rows = rows.filter(keep)
    return rows, refused


def _has_time(rows: pa.Table) -> Any:
    micros = rows.column("time").cast(pa.int64())
    return pc.and_(pc.greater_equal(micros, MIN_TIME_US), pc.less_equal(micros, MAX_TIME_US))


def _has_device(rows: pa.Table) -> Any:
    return _of_label(rows, "device", lambda each: pc.match_substring_regex(each, DEVICE_PATTERN))


def _has_name(rows: pa.Table) -> Any:
    return _of_label(
        rows, "name",
        lambda each: pc.and_(
            pc.greater(pc.utf8_length(each), 0), pc.less_equal(pc.utf8_length(each), MAX_NAME_CHARS)
        ),
    )  # fmt: skip


def _of_label(rows: pa.Table, column: str, holds: Any) -> Any:
    """What holds of a row because it holds of its label: asked once per label."""
    label = rows.column(column).combine_chunks()
    label = label if isinstance(label, pa.DictionaryArray) else label.chunk(0)
    return holds(label.dictionary).take(label.indices)


def _has_short_text(rows: pa.Table) -> Any:
    length = pc.fill_null(pc.binary_length(rows.column("text")), 0)
    return pc.less_equal(length, MAX_TEXT_BYTES)


def _has_one(rows: pa.Table) -> Any:
    return pc.xor(pc.is_valid(rows.column("value")), pc.is_valid(rows.column("text")))


_CHECKS: Final = (
    (BAD_TIME, _has_time),
    (BAD_DEVICE, _has_device),
    (BAD_NAME, _has_name),
    (TEXT_TOO_LONG, _has_short_text),
    (NO_VALUE, _has_one),
)


def to_batches(rows: pa.Table) -> Iterator[Batch]:
    """Batches of one device each, their readings in order of time."""
    if rows.num_rows == 0:
        return
    rows = rows.unify_dictionaries().combine_chunks()
    devices = rows.column("device").chunk(0)
    codes = devices.indices.to_numpy()
    times = rows.column("time").cast(pa.int64()).to_numpy()
    order = np.lexsort((times, codes))
    rows = rows.take(pa.array(order))
    codes = codes[order]
    bounds = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
    for start, end in pairwise(bounds):
        device = devices.dictionary[int(codes[start])].as_py()
        yield from _cut(device, rows.slice(start, end - start))


def _cut(device: str, rows: pa.Table) -> Iterator[Batch]:
    texts = pc.sum(pc.binary_length(rows.column("text"))).as_py() or 0
    if rows.num_rows > IMPORT_BATCH_ROWS or (texts > IMPORT_BATCH_TEXT_BYTES and rows.num_rows > 1):
        half = rows.num_rows // 2
        yield from _cut(device, rows.slice(0, half))
        yield from _cut(device, rows.slice(half))
        return
    yield Batch(device, rows.num_rows, _encode(rows))


def _encode(rows: pa.Table) -> bytes:
    """Arrow in a zstd frame; without an identity, which the spool's row has."""
    # A dictionary of its own: readers look at all names of a batch.
    name = rows.column("name").cast(pa.utf8()).combine_chunks().dictionary_encode()
    columns = [name, *(rows.column(each).combine_chunks() for each in ("time", "value", "text"))]
    batch = pa.RecordBatch.from_arrays([_flat(each) for each in columns], schema=BATCH_SCHEMA)
    return arrow.encode(batch, stream=None, first_seq=0, units=_units(rows))


def _flat(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _units(rows: pa.Table) -> dict[str, str]:
    """Unit by name; the newest where a series has two."""
    if rows.column("unit").null_count == rows.num_rows:
        return {}
    pairs = rows.select(["name", "unit"]).filter(pc.is_valid(rows.column("unit")))
    plain = pairs.cast(pa.schema([("name", pa.utf8()), ("unit", pa.utf8())]))
    last = plain.group_by(["name", "unit"], use_threads=False).aggregate([]).to_pydict()
    return dict(zip(last["name"], last["unit"], strict=True))


EMPTY: Final = ROWS.empty_table()
