"""Entries as the journal's feed hands them out, made from plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from gateway.consumer import Derived
from gateway.feed import Entry
from headrace.codecs import BATCH_SCHEMA

SECOND = 1_000_000
#: A round moment, so that times in failures are readable.
START = 1_700_000_000 * SECOND

Value = float | str


def rows(names: Sequence[str], times: Sequence[int], values: Sequence[Value]) -> pa.RecordBatch:
    """Readings with the columns that every codec yields; a str becomes a text."""
    numbers = [None if isinstance(value, str) else value for value in values]
    texts = [value if isinstance(value, str) else None for value in values]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(names, pa.utf8()).dictionary_encode(),
            pa.array(times, pa.int64()).cast(BATCH_SCHEMA.field("time").type),
            pa.array(numbers, pa.float64()),
            pa.array(texts, pa.utf8()),
        ],
        schema=BATCH_SCHEMA,
    )


def entry(
    device: str,
    batch: pa.RecordBatch,
    *,
    received_at: int | None = None,
    offset: int = 1,
    first_seq: int = 1,
) -> Entry:
    """One committed batch; it arrived at its newest reading's time unless told otherwise."""
    arrival = received_at if received_at is not None else max(batch.column(1).cast(pa.int64()).to_pylist())  # fmt: skip
    return Entry(offset, arrival, device, "0123456789abcdef", first_seq, batch)


def series(
    device: str,
    name: str,
    values: Sequence[Value],
    *,
    start_s: float = 0.0,
    step_s: float = 1.0,
    received_s: float | None = None,
    offset: int = 1,
    first_seq: int = 1,
) -> Entry:
    """Readings of one series, ``step_s`` apart, ``start_s`` seconds after ``START``."""
    times = [START + round((start_s + step_s * number) * SECOND) for number in range(len(values))]
    received = None if received_s is None else START + round(received_s * SECOND)
    batch = rows([name] * len(values), times, values)
    return entry(device, batch, received_at=received, offset=offset, first_seq=first_seq)


def wide(
    device: str, columns: Mapping[str, Sequence[float]], *, start_s: float = 0.0, offset: int = 1
) -> Entry:
    """Several series sampled together once a second."""
    count = len(next(iter(columns.values())))
    names = [name for _ in range(count) for name in columns]
    times = [START + round((start_s + at) * SECOND) for at in range(count) for _ in columns]
    values = [values[at] for at in range(count) for values in columns.values()]
    return entry(device, rows(names, times, values), offset=offset)


def journalled(derived: Sequence[Derived], *, received_at: int, offset: int = 1) -> list[Entry]:
    """Results of a consumer as the next consumer gets to see them."""
    return [
        entry(one.device, one.rows, received_at=received_at, offset=offset + number)
        for number, one in enumerate(derived)
    ]
