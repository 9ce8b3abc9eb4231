"""The columns of the table ``headrace.readings``, and journal rows turned into such columns.

The order is (device, name, time). It is reached without comparing a string per reading: the batches
carry dictionaries, so each (device, name, unit) that occurs gets a number, numbers are ranked once,
and the readings are brought into order by a stable radix sort of 16-bit ranks. Batches come in order
of time, so a stable sort leaves each series in order of time; where it does not (a clock was set
back, an old backlog), the part is sorted by time as well. Columns that are constant in a batch or a
series are never held per reading before they are written.

``unit`` stands in each row, although it is a property of the series: in this order it is one run per
series and costs nothing (docs/decisions/0004-unit-in-every-reading.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headrace import codecs
from headrace.codecs.columns import TIME_TYPE, Decoded
from headrace.errors import PayloadError, StorageCorrupt
from headrace.journal import JournalRow

_LABEL: Final = pa.dictionary(pa.int32(), pa.utf8())

READINGS_SCHEMA: Final = pa.schema(
    [
        pa.field("site", _LABEL, nullable=False),
        pa.field("device", _LABEL, nullable=False),
        pa.field("name", _LABEL, nullable=False),
        pa.field("time", TIME_TYPE, nullable=False),
        pa.field("value", pa.float64()),
        pa.field("text", pa.utf8()),
        pa.field("unit", _LABEL),
        pa.field("stream", _LABEL, nullable=False),
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("received", TIME_TYPE, nullable=False),
        pa.field("clock", _LABEL),
    ]
)

Ints = NDArray[np.int64]
Series = tuple[str, str, str]  # device, name, unit


@dataclass(slots=True)
class _Gathered:
    """Batches side by side: constants per batch, columns per reading, in journal order."""

    counts: list[int] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)
    clocks: list[str] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    first_seqs: list[int] = field(default_factory=list)
    codes: list[NDArray[np.int32]] = field(default_factory=list)
    series_of_code: list[Ints] = field(default_factory=list)
    times: list[Ints] = field(default_factory=list)
    values: list[pa.Array] = field(default_factory=list)
    texts: list[pa.Array] = field(default_factory=list)
    series: dict[Series, int] = field(default_factory=dict)


def to_table(site: str, rows: Iterable[JournalRow]) -> pa.Table:
    """The readings of journal rows with ``READINGS_SCHEMA``, in order of device, name and time.

    Raises:
        StorageCorrupt: a payload is not the batch that its row says.
    """
    gathered = _gather(rows)
    if not gathered.counts:
        return READINGS_SCHEMA.empty_table()
    names = sorted(gathered.series)
    ranks = _ranks(gathered, names)
    times = np.concatenate(gathered.times)
    order = _order(ranks, times)
    runs = np.bincount(ranks, minlength=len(names))
    batches = np.repeat(np.arange(len(gathered.counts)), gathered.counts)[order]
    # seq = first seq of the batch + place in the batch; one small table instead of a column.
    starts = np.cumsum(gathered.counts) - gathered.counts
    seqs = (np.array(gathered.first_seqs) - starts)[batches] + order
    columns = [
        _constant(site, len(times)),
        *(_runs([name[part] for name in names], runs) for part in (0, 1)),
        _as_time(times[order]),
        _values(gathered.values, order),
        _texts(gathered.texts, order),
        _runs([name[2] or None for name in names], runs),
        _labels(gathered.streams, batches),
        pa.array(seqs),
        _as_time(np.array(gathered.received)[batches]),
        _labels([clock or None for clock in gathered.clocks], batches),
    ]
    return pa.Table.from_arrays(columns, schema=READINGS_SCHEMA)


def _gather(rows: Iterable[JournalRow]) -> _Gathered:
    gathered = _Gathered()
    known: dict[tuple[Any, ...], Ints] = {}
    for row in rows:
        decoded = _decode(row)
        name, time, value, text = decoded.rows.columns
        gathered.counts.append(row.rows)
        gathered.streams.append(row.stream)
        gathered.clocks.append(decoded.clock)
        gathered.received.append(row.received_at)
        gathered.first_seqs.append(row.first_seq)
        gathered.codes.append(name.indices.to_numpy())
        gathered.series_of_code.append(_series(row.device, name, decoded, known, gathered.series))
        gathered.times.append(time.cast(pa.int64()).to_numpy())
        gathered.values.append(value)
        gathered.texts.append(text)
    return gathered


def _decode(row: JournalRow) -> Decoded:
    try:
        decoded = codecs.decode(row.format, row.payload, row.received_at)
    except PayloadError as error:
        raise StorageCorrupt(
            f"journal: offset {row.offset} does not decode as {row.format}: {error}",
            hint="a newer gateway may have written it: use the same version of cloud_sync",
        ) from error
    if decoded.rows.num_rows != row.rows:
        raise StorageCorrupt(
            f"journal: offset {row.offset} should hold {row.rows} readings, "
            f"its payload has {decoded.rows.num_rows}"
        )
    return decoded


def _series(
    device: str,
    name: pa.DictionaryArray,
    decoded: Decoded,
    known: dict[tuple[Any, ...], Ints],
    series: dict[Series, int],
) -> Ints:
    """The series number of each entry of a batch's dictionary."""
    names = tuple(name.dictionary.to_pylist())
    units = tuple(decoded.units.get(each, "") for each in names)
    key = (device, names, units)
    found = known.get(key)
    if found is None:
        triples = ((device, each, unit) for each, unit in zip(names, units, strict=True))
        found = np.array([series.setdefault(triple, len(series)) for triple in triples], np.int64)
        known[key] = found
    return found


def _ranks(gathered: _Gathered, names: list[Series]) -> NDArray[Any]:
    """Per reading the place of its series in ``names``, in the narrowest type: 16 bits sort fastest."""
    kind = np.uint16 if len(names) <= np.iinfo(np.uint16).max else np.uint32
    rank_of = np.empty(len(names), kind)
    rank_of[[gathered.series[name] for name in names]] = np.arange(len(names), dtype=kind)
    parts = zip(gathered.series_of_code, gathered.codes, strict=True)
    return np.concatenate([rank_of[numbers][codes] for numbers, codes in parts])


def _order(ranks: NDArray[Any], times: Ints) -> Ints:
    order = np.argsort(ranks, kind="stable")
    backwards = np.diff(times[order]) < 0
    same_series = np.diff(ranks[order]) == 0
    if np.any(backwards & same_series):
        return np.lexsort((times, ranks))
    return order


def _runs(labels: list[str | None] | list[str], runs: Ints) -> pa.DictionaryArray:
    """A column of runs: ``labels[i]`` repeated ``runs[i]`` times; None is null."""
    distinct = list(dict.fromkeys(label for label in labels if label is not None))
    code_of = {label: code for code, label in enumerate(distinct)}
    codes = np.array([code_of.get(label, -1) for label in labels], np.int32)  # type: ignore[arg-type]
    return _dictionary(np.repeat(codes, runs), distinct)


def _labels(labels: list[str | None] | list[str], batches: Ints) -> pa.DictionaryArray:
    """A column of a label per batch."""
    distinct = list(dict.fromkeys(label for label in labels if label is not None))
    if len(distinct) == 1 and None not in labels:
        return _constant(distinct[0], len(batches))
    code_of = {label: code for code, label in enumerate(distinct)}
    codes = np.array([code_of.get(label, -1) for label in labels], np.int32)  # type: ignore[arg-type]
    return _dictionary(codes[batches], distinct)


def _constant(label: str, count: int) -> pa.DictionaryArray:
    return _dictionary(np.zeros(count, np.int32), [label])


def _dictionary(codes: NDArray[np.int32], labels: list[str]) -> pa.DictionaryArray:
    """Codes and labels as one column; a code of -1 is null."""
    indices = pa.array(codes, mask=codes < 0) if len(codes) and codes.min() < 0 else pa.array(codes)
    return pa.DictionaryArray.from_arrays(indices, pa.array(labels, pa.utf8()))


def _as_time(times: Ints) -> pa.Array:
    return pa.array(times).view(TIME_TYPE)


def _values(parts: list[pa.Array], order: Ints) -> pa.Array:
    if not any(part.null_count for part in parts):
        return pa.array(np.concatenate([part.to_numpy() for part in parts])[order])
    return pa.concat_arrays(parts).take(pa.array(order))


def _texts(parts: list[pa.Array], order: Ints) -> pa.Array:
    if all(part.null_count == len(part) for part in parts):
        return pa.nulls(len(order), pa.utf8())
    return pa.concat_arrays(parts).take(pa.array(order))
