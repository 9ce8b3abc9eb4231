"""The columns of the table ``headrace.readings``, and journal rows turned into such columns.

The order is (device, name, time). It is reached without comparing a string per reading: the batches
carry dictionaries, so each (device, name, unit) that occurs gets a number, numbers are ranked once,
and the readings are brought into order by a stable radix sort of 16-bit ranks. Batches come in order
of time, so a stable sort leaves each series in order of time; where it does not (a clock was set
back, an old backlog), the part is sorted by time as well. Columns that are constant in a batch or a
series are never held per reading before they are written.

``unit`` stands in each row, although it is a property of the series: in this order it is one run per
series and costs nothing (docs/decisions/0004-unit-in-every-reading.md).

``received`` is cut to hundredths of a second: finer it is noise, which was a tenth of what a slow device costs in the
lake (docs/decisions/0032-arrivals-in-hundredths.md). Journal and raw zone have it as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headrace import codecs
from headrace.codecs.columns import TIME_TYPE, Decoded
from headrace.errors import PayloadError, StorageCorrupt
from headrace.journal import JournalRow
from headrace.odd_times import ODD, odd

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

#: Steps of ``received``, in microseconds.
ARRIVAL_STEP_US: Final = 10_000

Ints = NDArray[np.int64]
Series = tuple[str, str, str]  # device, name, unit


class _Gathered:
    """Batches side by side: constants per batch, columns per reading, in journal order.

    The columns are filled in place, so that a batch's own memory is used again for the next: on a
    small machine fresh pages cost more than the work that is done in them.
    """

    def __init__(self, total: int) -> None:
        self.counts: list[int] = []
        self.streams: list[str] = []
        self.clocks: list[str] = []
        self.received: list[int] = []
        self.first_seqs: list[int] = []
        self.series: dict[Series, int] = {}
        self.numbers = np.empty(total, np.uint32)  # of the reading's series
        self.times = np.empty(total, np.int64)
        self.values = np.empty(total, np.float64)
        self.null_values: NDArray[np.bool_] | None = None
        self.texts: list[pa.Array] = []
        self.has_texts = False
        self._known: dict[tuple[Any, ...], NDArray[np.uint32]] = {}
        self._filled = 0

    def add(self, row: JournalRow, decoded: Decoded) -> None:
        name, time, value, text = decoded.rows.columns
        place = slice(self._filled, self._filled + row.rows)
        self.counts.append(row.rows)
        self.streams.append(row.stream)
        self.clocks.append(decoded.clock)
        self.received.append(row.received_at)
        self.first_seqs.append(row.first_seq)
        np.take(
            self._numbers(row.device, name, decoded),
            name.indices.to_numpy(),
            out=self.numbers[place],
            mode="clip",
        )
        self.times[place] = time.view(pa.int64()).to_numpy()
        self.values[place] = value.to_numpy(zero_copy_only=False)
        if value.null_count:
            if self.null_values is None:
                self.null_values = np.zeros(len(self.values), np.bool_)
            self.null_values[place] = value.is_null().to_numpy(zero_copy_only=False)
        # Kept even if it is all null: an array of nulls is small, and the places must be right.
        self.texts.append(text)
        self.has_texts = self.has_texts or text.null_count < len(text)
        self._filled += row.rows

    def _numbers(
        self, device: str, name: pa.DictionaryArray, decoded: Decoded
    ) -> NDArray[np.uint32]:
        """The series number of each entry of a batch's dictionary."""
        names = tuple(name.dictionary.to_pylist())
        units = tuple(decoded.units.get(each, "") for each in names)
        key = (device, names, units)
        found = self._known.get(key)
        if found is None:
            series = self.series
            triples = ((device, each, unit) for each, unit in zip(names, units, strict=True))
            numbers = [series.setdefault(triple, len(series)) for triple in triples]
            found = self._known[key] = np.array(numbers, np.uint32)
        return found


def as_arrival(received_us: int) -> int:
    """When a batch came, as the table has it: cut off, never rounded up into the next day."""
    return received_us - received_us % ARRIVAL_STEP_US


def to_table(site: str, rows: Sequence[JournalRow]) -> pa.Table:
    """The readings of journal rows with ``READINGS_SCHEMA``, in order of device, name and time.

    Damaged rows have none.

    Raises:
        StorageCorrupt: a payload is not the batch that its row says.
    """
    rows = [row for row in rows if not row.damage]
    if not rows:
        return READINGS_SCHEMA.empty_table()
    gathered = _Gathered(sum(row.rows for row in rows))
    together = codecs.decode_small([(row.format, row.payload, row.received_at) for row in rows])
    for row, decoded in zip(rows, together, strict=True):
        gathered.add(row, _checked(row, decoded or _decode(row)))
    names = sorted(gathered.series)
    ranks = _ranks(gathered, names)
    gathered.numbers = gathered.numbers[:0]
    runs = np.bincount(ranks, minlength=len(names))
    # A batch's dictionary may have names that none of its readings has: a run of none has no end.
    names, runs = [names[at] for at in np.flatnonzero(runs)], runs[runs > 0]
    order, times = _order(ranks, runs, gathered.times)
    batches = np.repeat(np.arange(len(gathered.counts)), gathered.counts)[order]
    received = np.array([as_arrival(each) for each in gathered.received])[batches]
    # seq = first seq of the batch + place in the batch; one small table instead of a column.
    starts = np.cumsum(gathered.counts) - gathered.counts
    seqs = (np.array(gathered.first_seqs) - starts)[batches] + order
    columns = [
        _constant(site, len(times)),
        *(_runs([name[part] for name in names], runs) for part in (0, 1)),
        _as_time(times),
        _values(gathered, order),
        _texts(gathered, order),
        _runs([name[2] or None for name in names], runs),
        _labels(gathered.streams, batches),
        pa.array(seqs),
        _as_time(received),
        _clocks(gathered.clocks, batches, odd(times, received)),
    ]
    return pa.Table.from_arrays(columns, schema=READINGS_SCHEMA)


def _decode(row: JournalRow) -> Decoded:
    try:
        return codecs.decode(row.format, row.payload, row.received_at)
    except PayloadError as error:
        raise StorageCorrupt(
            f"journal: offset {row.offset} does not decode as {row.format}: {error}",
            hint="a newer gateway may have written it: use the same version of cloud_sync",
        ) from error


def _checked(row: JournalRow, decoded: Decoded) -> Decoded:
    if decoded.rows.num_rows != row.rows:
        raise StorageCorrupt(
            f"journal: offset {row.offset} should hold {row.rows} readings, "
            f"its payload has {decoded.rows.num_rows}"
        )
    return decoded


def _ranks(gathered: _Gathered, names: list[Series]) -> NDArray[Any]:
    """Per reading the place of its series in ``names``, in the narrowest type: 16 bits sort fastest."""
    kind = np.uint16 if len(names) <= np.iinfo(np.uint16).max else np.uint32
    rank_of = np.empty(len(names), kind)
    rank_of[[gathered.series[name] for name in names]] = np.arange(len(names), dtype=kind)
    return rank_of[gathered.numbers]


def _order(ranks: NDArray[Any], runs: Ints, times: Ints) -> tuple[Ints, Ints]:
    """Places in order of rank and time, and the times in that order."""
    order = np.argsort(ranks, kind="stable")
    ordered = times[order]
    backwards = ordered[1:] < ordered[:-1]
    backwards[np.cumsum(runs)[:-1] - 1] = (
        False  # from the last of a series to the first of the next
    )
    if np.any(backwards):
        order = np.lexsort((times, ranks))
        ordered = times[order]
    return order, ordered


def _runs(labels: list[str | None] | list[str], runs: Ints) -> pa.DictionaryArray:
    """A column of runs: ``labels[i]`` repeated ``runs[i]`` times; None is null."""
    distinct = list(dict.fromkeys(label for label in labels if label is not None))
    code_of = {label: code for code, label in enumerate(distinct)}
    codes = np.array([code_of.get(label, -1) for label in labels], np.int32)  # type: ignore[arg-type]
    return _dictionary(np.repeat(codes, runs), distinct, has_nulls=None in labels)


def _labels(labels: list[str | None] | list[str], batches: Ints) -> pa.DictionaryArray:
    """A column of a label per batch."""
    distinct = list(dict.fromkeys(label for label in labels if label is not None))
    if len(distinct) == 1 and None not in labels:
        return _constant(distinct[0], len(batches))
    code_of = {label: code for code, label in enumerate(distinct)}
    codes = np.array([code_of.get(label, -1) for label in labels], np.int32)  # type: ignore[arg-type]
    return _dictionary(codes[batches], distinct, has_nulls=None in labels)


def _clocks(
    clocks: list[str], batches: Ints, is_odd: NDArray[np.bool_] | None
) -> pa.DictionaryArray:
    """What each batch says of its clock, and of readings whose time cannot be right, that."""
    if is_odd is None:
        return _labels([clock or None for clock in clocks], batches)
    # One batch more, that of the odd ones.
    of = np.where(is_odd, len(clocks), batches)
    return _labels([*(clock or None for clock in clocks), ODD], of)


def _constant(label: str, count: int) -> pa.DictionaryArray:
    return _dictionary(np.zeros(count, np.int32), [label], has_nulls=False)


def _dictionary(
    codes: NDArray[np.int32], labels: list[str], *, has_nulls: bool
) -> pa.DictionaryArray:
    """Codes and labels as one column; a code of -1 is null. Arrow need not check codes that are made here."""
    indices = pa.array(codes, mask=codes < 0) if has_nulls else pa.array(codes)
    return pa.DictionaryArray.from_arrays(indices, pa.array(labels, pa.utf8()), safe=False)


def _as_time(times: Ints) -> pa.Array:
    return pa.array(times).view(TIME_TYPE)


def _values(gathered: _Gathered, order: Ints) -> pa.Array:
    if gathered.null_values is None:
        return pa.array(gathered.values[order])
    return pa.array(gathered.values[order], mask=gathered.null_values[order])


def _texts(gathered: _Gathered, order: Ints) -> pa.Array:
    if not gathered.has_texts:
        return pa.nulls(len(order), pa.utf8())
    return pa.concat_arrays(gathered.texts).take(pa.array(order))
