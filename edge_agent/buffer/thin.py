"""Halves the resolution of stored batches: every second reading of each series is kept.

Neighbours become one batch, because the batches of a quiet device hold one reading a series each,
and because pages are only freed by rewriting. The new batch starts at the first number of the old
ones; the numbers behind its last reading, up to where the next batch starts, are the gap. Nobody has
seen the old names unless the batches were sent before a restart and their acks were lost; then the
gateway has those numbers already and takes none of them twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import nanoarrow as na

from edge_agent.buffer.batches import StoredBatch, arrow_stream, contradict, units_of
from edge_agent.encode import Header, encode
from edge_agent.readings import Run
from headrace.limits.wire import MAX_BATCH_ROWS
from headrace.wire import to_json


def neighbours(batches: Sequence[StoredBatch]) -> list[StoredBatch]:
    """The first batches that one batch may hold: same boot, clock, columns and units."""
    group: list[StoredBatch] = []
    units: dict[str, str] = {}
    rows = 0
    for batch in batches:
        rows += batch.rows
        theirs = units_of(batch)
        other = group and (_kind(batch) != _kind(group[0]) or contradict(units, theirs))
        if group and (rows > MAX_BATCH_ROWS or other):
            break
        group.append(batch)
        units.update(theirs)
    return group


def _kind(batch: StoredBatch) -> tuple[str, str, bool]:
    return batch.boot, batch.clock, batch.has_text


def halve(group: Sequence[StoredBatch], stream: str) -> StoredBatch:
    """One batch with every second reading of each series, oldest kept."""
    units: dict[str, str] = {}
    for batch in group:
        units.update(units_of(batch))
    series: dict[tuple[str, bool], Run] = {}
    for batch in group:
        for run in _runs(batch):
            _extend(series, run)
    runs = [Run(run.name, run.times[::2], run.values[::2]) for run in series.values()]
    rows = sum(run.rows for run in runs)
    first = group[0]
    header = Header(stream, first.first_seq, first.boot, first.clock, units, first.has_text)
    return StoredBatch(
        first_seq=first.first_seq,
        last_seq=first.first_seq + rows - 1,
        rows=rows,
        sealed_at=first.sealed_at,
        boot=first.boot,
        clock=first.clock,
        units=to_json(units),
        has_text=first.has_text,
        payload=encode(runs, header),
    )


def _extend(series: dict[tuple[str, bool], Run], run: Run) -> None:
    have = series.setdefault((run.name, run.is_text), run)
    if have is not run:
        have.times.extend(run.times)
        have.values.extend(run.values)  # type: ignore[arg-type]  # the key says which kind it is


def _runs(batch: StoredBatch) -> list[Run]:
    """The batch's readings as runs; a reading is a text where its value is null."""
    runs: list[Run] = []
    for part in na.ArrayStream.from_readable(arrow_stream(batch)):
        names, times, values, *texts = (part.child(i) for i in range(part.n_children))
        micros = array("q")
        micros.frombytes(memoryview(times.buffer(1)).cast("B")[: 8 * len(times)])
        numbers = list(values.iter_py())
        words: list[Any] = list(texts[0].iter_py()) if texts else [None] * len(numbers)
        kinds = zip(names.iter_py(), (number is None for number in numbers), strict=True)
        for (name, is_text), places in groupby(enumerate(kinds), key=lambda pair: pair[1]):
            at = [place for place, _ in places]
            cut = slice(at[0], at[-1] + 1)
            chosen = words[cut] if is_text else array("d", numbers[cut])
            runs.append(Run(name, micros[cut], chosen))
    return runs
