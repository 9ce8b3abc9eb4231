"""Small payloads that arrived together become batches: one a device, and one pass over all of them.

A device that sends reading by reading costs the same per message as one that sends a thousand; what
can be shared is everything behind the message. Payloads of one device whose readings follow each
other go into one batch (``headrace.codecs.many``), and the columns of all devices are made at once.

Whatever is unusual about a payload (it is refused, its series changes its unit) is left to the path
that every other payload takes: ``gather`` gives it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from gateway.ingest.arrival import Arrival
from gateway.ingest.reading import Accepted, check_device, check_names
from headrace.batch import check_stream_and_seq
from headrace.codecs import many
from headrace.codecs.columns import Decoded, checked
from headrace.codecs.senml_readings import Columns
from headrace.codecs.senml_records import records_of_json
from headrace.errors import PayloadError
from headrace.limits.ingest import GATHER_MAX_BYTES, GATHER_MAX_PAYLOAD_BYTES
from headrace.limits.wire import MAX_BATCH_ROWS, MAX_SHARED_NAMES

#: What can be gathered.
FORMAT: Final = many.JSON

#: What a byte of a small payload may become in columns: a name of 400 characters stands in a pack once.
_BYTES_PER_PAYLOAD_BYTE: Final = 4


@dataclass(slots=True)
class _Run:
    """Payloads of one device whose readings follow each other.

    ``rows``: their places in the columns. ``units``: of each series; empty where it has none.
    ``widened``: as in ``Decoded``.
    """

    device: str
    stream: str | None
    first_seq: int
    arrivals: list[Arrival] = field(default_factory=list)
    bytes: int = 0
    rows: list[int] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    widened: dict[str, int] = field(default_factory=dict)

    def takes(self, pack: _Pack) -> bool:
        """Whether a payload may come next."""
        if pack.stream != self.stream or len(self.rows) >= MAX_BATCH_ROWS:
            return False
        if pack.stream is not None and pack.first_seq != self.first_seq + len(self.rows):
            return False
        if self.bytes + len(pack.arrival.payload) > GATHER_MAX_BYTES:
            return False
        # What a source numbers has another stream than what a device sent, and is answered otherwise.
        if (pack.arrival.place is None) != (self.arrivals[0].place is None):
            return False
        # A series has one unit in a batch.
        known = self.units
        return all(known.get(name, unit) == unit for name, unit in pack.units.items())

    def add(self, pack: _Pack) -> None:
        self.arrivals.append(pack.arrival)
        self.bytes += len(pack.arrival.payload)
        self.rows.extend(pack.rows)
        self.units.update(pack.units)
        for name, count in pack.widened.items():
            self.widened[name] = self.widened.get(name, 0) + count


class _Pack(msgspec.Struct, frozen=True):
    """One payload whose readings are in the columns."""

    arrival: Arrival
    stream: str | None
    first_seq: int
    rows: range
    units: dict[str, str]
    widened: dict[str, int]


def may_gather(arrival: Arrival) -> bool:
    """Whether it is small enough that gathering pays, and has no key that it is told by."""
    small = arrival.format == FORMAT and len(arrival.payload) <= GATHER_MAX_PAYLOAD_BYTES
    return small and arrival.key is None


def gather(arrivals: Sequence[Arrival]) -> tuple[list[Accepted], list[Arrival]]:
    """Batches of small payloads, and the payloads that are left over.

    Args:
        arrivals: for which ``may_gather`` holds, in order of arrival.
    """
    columns = Columns()
    runs, left = _runs(columns, arrivals)
    try:
        return list(_accepted(columns, runs)), left
    except PayloadError:
        # One of thousands breaks the contract in a way that only its column shows.
        return [], list(arrivals)


def _runs(columns: Columns, arrivals: Sequence[Arrival]) -> tuple[list[_Run], list[Arrival]]:
    """Runs in order of their first payload, and what does not go into one."""
    runs: list[_Run] = []
    newest: dict[str, _Run] = {}
    left: list[Arrival] = []
    for arrival in arrivals:
        device = arrival.device
        run = newest.get(device)
        try:
            if run is None:
                check_device(device)
            pack = _read(columns, arrival)
        except PayloadError:
            left.append(arrival)
            # What comes behind must not overtake it into the same batch.
            newest.pop(device, None)
            continue
        if run is None or not run.takes(pack):
            run = newest[device] = _Run(device, pack.stream, pack.first_seq)
            runs.append(run)
        run.add(pack)
    return runs, left


def _read(columns: Columns, arrival: Arrival) -> _Pack:
    """Put a payload's readings into the columns.

    Raises:
        PayloadError: it cannot be gathered; the columns are as they were.
    """
    records = records_of_json(arrival.payload)
    start = len(columns.times)
    columns.units, columns.widened = {}, {}
    try:
        columns.add_pack(records, arrival.received_at)
    except PayloadError:
        columns.cut(start)
        raise
    rows = range(start, len(columns.times))
    if not rows:
        raise PayloadError("bad_schema", "a pack without readings")
    stream, first_seq = records[0].stream, records[0].seq
    if stream is None and arrival.stream is not None:
        stream, first_seq = arrival.stream, arrival.first_seq
    units = {name: columns.units.get(name, "") for name in columns.names[start:]}
    return _Pack(arrival, stream, first_seq, rows, units, columns.widened)


def _accepted(columns: Columns, runs: Sequence[_Run]) -> Iterator[Accepted]:
    """The runs as batches.

    Raises:
        PayloadError: something in one of them breaks the wire contract.
    """
    if not runs:
        return
    rows = checked(*columns.arrays()).rows
    check_names(rows)
    for run in runs:
        if run.stream is not None:
            check_stream_and_seq(run.stream, run.first_seq, len(run.rows))
    places = np.fromiter(chain.from_iterable(run.rows for run in runs), np.int64)
    if not np.array_equal(places, np.arange(rows.num_rows)):
        rows = rows.take(pa.array(places))
    at, share = 0, len(rows.column(0).dictionary) <= MAX_SHARED_NAMES
    for run in runs:
        part = rows.slice(at, len(run.rows))
        at += len(run.rows)
        yield _batch(run, part if share else many.with_own_names(part))


def _batch(run: _Run, rows: pa.RecordBatch) -> Accepted:
    format_name, payload = FORMAT, run.arrivals[0].payload
    if len(run.arrivals) > 1:
        format_name = FORMAT + many.SUFFIX
        payload = many.pack([(each.received_at, each.payload) for each in run.arrivals])
    units = {name: unit for name, unit in run.units.items() if unit}
    first_seq = run.first_seq if run.stream else 0
    decoded = Decoded(rows, run.stream, first_seq, units=units, widened=run.widened)
    # About: to measure the columns of each of thousands would take longer than to make them.
    size = _BYTES_PER_PAYLOAD_BYTE * run.bytes
    return Accepted(tuple(run.arrivals), run.device, format_name, payload, decoded, run.units, size)
