"""Batches side by side: what several sinks need before they write, without a loop over readings.

A step may be one batch of 200,000 readings or 200,000 batches of one. So nothing here starts an Arrow
kernel per batch; what is constant in a batch stays per batch, and ``batch`` says for each reading which
one it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.search import Refusal
from headrace.codecs import BATCH_SCHEMA

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Columns:
    """The readings of several batches, in order.

    Attributes:
        batch: which batch the reading is of. row: which row of it. seq: its sequence number.
        series: number of its (name, unit) in ``labels``.
        time: microseconds since 1970 UTC. value, text: as in the batches.
    """

    entries: Sequence[Entry]
    batch: Ints
    row: Ints
    seq: Ints
    series: Ints
    labels: Sequence[tuple[str, str]]
    time: Ints
    value: pa.Array
    text: pa.Array

    def __len__(self) -> int:
        return len(self.batch)

    def take(self, wanted: Mask) -> Columns:
        """Only the readings of a mask."""
        if wanted.all():
            return self
        at = np.flatnonzero(wanted)
        places = pa.array(at)
        return Columns(
            self.entries, self.batch[at], self.row[at], self.seq[at], self.series[at], self.labels,
            self.time[at], self.value.take(places), self.text.take(places),
        )  # fmt: skip

    def rejections(self, mask: Mask, reason: str, detail: str) -> list[Rejected]:
        """The readings of a mask, batch by batch, as a sink hands them back."""
        return [
            Rejected(entry, reason, detail, entry.rows.take(pa.array(rows)))
            for entry, rows in self._by_batch(mask)
        ]

    def refusals(self, refusals: Sequence[Refusal]) -> list[Rejected]:
        """What a destination refused, batch by batch, each with the first thing that was said of it."""
        mask: Mask = np.zeros(len(self), np.bool_)
        details: dict[int, str] = {}
        for items, why in refusals:
            mask[items] = True
            for number in np.unique(self.batch[items]).tolist():
                details.setdefault(id(self.entries[number]), why[:500])
        return [
            Rejected(entry, "refused", details[id(entry)], entry.rows.take(pa.array(rows)))
            for entry, rows in self._by_batch(mask)
        ]

    def _by_batch(self, mask: Mask) -> list[tuple[Entry, Ints]]:
        at = np.flatnonzero(mask)
        numbers, starts = np.unique(self.batch[at], return_index=True)
        parts = np.split(self.row[at], starts[1:])
        return [(self.entries[number], part) for number, part in zip(numbers.tolist(), parts, strict=False)]  # fmt: skip


def gather(entries: Sequence[Entry]) -> Columns:
    """The columns of all batches that have any readings (a damaged one has none)."""
    entries = [entry for entry in entries if entry.rows.num_rows]
    counts = np.array([entry.rows.num_rows for entry in entries], np.int64)
    starts = np.cumsum(counts) - counts
    batch = np.repeat(np.arange(len(entries)), counts)
    row = np.arange(len(batch)) - starts[batch]
    first = np.array([entry.first_seq for entry in entries], np.int64)
    name, time, value, text = _combined(entries)
    series, labels = _series(entries, name, batch)
    return Columns(
        entries, batch, row, first[batch] + row, series, labels,
        time.view(pa.int64()).to_numpy(), value, text,
    )  # fmt: skip


def _combined(entries: Sequence[Entry]) -> list[pa.Array]:
    table = pa.Table.from_batches([entry.rows for entry in entries], schema=BATCH_SCHEMA)
    columns = table.unify_dictionaries().combine_chunks().columns
    return [
        column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in columns
    ]


def _series(
    entries: Sequence[Entry], name: pa.DictionaryArray, batch: Ints
) -> tuple[Ints, list[tuple[str, str]]]:
    """Numbers the pairs of name and unit; batches that name the same units share their numbers."""
    names = name.dictionary.to_pylist()
    known: dict[tuple[tuple[str, str], ...], int] = {}
    units = [known.setdefault(tuple(entry.units.items()), len(known)) for entry in entries]
    codes = np.array(units, np.int64)[batch] * max(len(names), 1) + name.indices.to_numpy()
    occurring, series = np.unique(codes, return_inverse=True)
    tables = [dict(pairs) for pairs in known]
    pairs = (divmod(code, max(len(names), 1)) for code in occurring.tolist())
    labels = [(names[at], tables[table].get(names[at], "")) for table, at in pairs]
    return series, labels
