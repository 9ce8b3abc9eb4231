"""Readings whose time cannot be right, kept from destinations that file everything by time. Pure.

A database that is cut by time makes a shard for 1970 and one for 2099, and its "newest reading" stays the
one from 2099. The lake keeps such readings apart and marked (``headrace.odd_times``); such a destination
gets all others. Sequence numbers stay with their readings: a batch with odd ones in its middle goes on as
several parts of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from gateway.feed import Entry
from headrace.odd_times import odd


def without_odd(entries: Sequence[Entry]) -> tuple[Sequence[Entry], dict[str, int]]:
    """The batches without readings of odd times, and how many each device had of those."""
    counts = [entry.rows.num_rows for entry in entries]
    if not sum(counts):
        return entries, {}
    times = (
        pa.chunked_array([entry.rows.column(1) for entry in entries]).cast(pa.int64()).to_numpy()
    )
    received = np.repeat(np.array([entry.received_at for entry in entries]), counts)
    found = odd(times, received)
    if found is None:  # as almost always
        return entries, {}
    kept: list[Entry] = []
    held: dict[str, int] = {}
    ends = np.cumsum(counts)
    for entry, mask in zip(entries, np.split(found, ends[:-1]), strict=True):
        count = int(mask.sum())
        if count:
            held[entry.device] = held.get(entry.device, 0) + count
        kept += _parts(entry, ~mask) if count else [entry]
    return kept, held


def _parts(entry: Entry, wanted: NDArray[np.bool_]) -> Iterator[Entry]:
    """The runs of a mask as batches of their own."""
    edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
    for start, end in edges.reshape(-1, 2).tolist():
        rows = entry.rows.slice(start, end - start)
        yield replace(entry, first_seq=entry.first_seq + start, rows=rows)
