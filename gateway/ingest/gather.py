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
from typing import Final

import pyarrow as pa

from gateway.ingest.arrival import Arrival
from gateway.ingest.reading import Accepted, check_device, check_names
from headrace.codecs import many, senml
from headrace.codecs.columns import Decoded, checked
from headrace.errors import PayloadError
from headrace.limits import GATHER_MAX_NAMES, GATHER_MAX_PAYLOAD_BYTES, MAX_BATCH_ROWS

#: What can be gathered.
FORMAT: Final = "senml-json"


@dataclass(slots=True)
class _Run:
    """Payloads of one device whose readings follow each other."""

    device: str
    stream: str | None
    first_seq: int
    arrivals: list[Arrival] = field(default_factory=list)
    columns: senml.Columns = field(default_factory=senml.Columns)

    @property
    def rows(self) -> int:
        return len(self.columns.times)

    def continues_with(self, stream: str | None, first_seq: int) -> bool:
        """Whether a payload with this identity may come next."""
        if stream != self.stream or self.rows >= MAX_BATCH_ROWS:
            return False
        return stream is None or first_seq == self.first_seq + self.rows


def may_gather(arrival: Arrival) -> bool:
    """Whether it is small enough that gathering pays."""
    return arrival.format == FORMAT and len(arrival.payload) <= GATHER_MAX_PAYLOAD_BYTES


def gather(arrivals: Sequence[Arrival]) -> tuple[list[Accepted], list[Arrival]]:
    """Batches of small payloads, and the payloads that are left over.

    Args:
        arrivals: for which ``may_gather`` holds, in order of arrival.
    """
    runs, left = _runs(arrivals)
    try:
        return list(_accepted(runs)), left
    except PayloadError:
        # One of thousands breaks the contract in a way that only its column shows.
        return [], list(arrivals)


def _runs(arrivals: Sequence[Arrival]) -> tuple[list[_Run], list[Arrival]]:
    """Runs in order of their first payload, and what does not go into one."""
    runs: list[_Run] = []
    newest: dict[str, _Run] = {}
    left: list[Arrival] = []
    for arrival in arrivals:
        try:
            run = _add(newest.get(arrival.device), arrival)
        except PayloadError:
            left.append(arrival)
            # What comes behind must not overtake it into the same batch.
            newest.pop(arrival.device, None)
            continue
        if newest.get(arrival.device) is not run:
            newest[arrival.device] = run
            runs.append(run)
    return runs, left


def _add(run: _Run | None, arrival: Arrival) -> _Run:
    """Put a payload into its device's run, or into a new one.

    Raises:
        PayloadError: it cannot be gathered; the run is as it was.
    """
    records = senml.records_of_json(arrival.payload)
    stream, first_seq = records[0].stream, records[0].seq
    if stream is None and arrival.stream is not None:
        stream, first_seq = arrival.stream, arrival.first_seq
    columns = senml.Columns()
    columns.add_pack(records, arrival.received_at)
    if not columns.times:
        raise PayloadError("bad_schema", "a pack without readings")
    if run is None or not run.continues_with(stream, first_seq) or _differ(run.columns, columns):
        check_device(arrival.device)
        run = _Run(arrival.device, stream, first_seq)
    run.arrivals.append(arrival)
    run.columns.extend(columns)
    return run


def _differ(columns: senml.Columns, others: senml.Columns) -> bool:
    """Whether a series has another unit here than there: a batch has one for each."""
    if not columns.units and not others.units:
        return False
    names = set(columns.names).intersection(others.names)
    return any(columns.units.get(name) != others.units.get(name) for name in names)


def _accepted(runs: Sequence[_Run]) -> Iterator[Accepted]:
    """The runs as batches.

    Raises:
        PayloadError: something in one of them breaks the wire contract.
    """
    if not runs:
        return
    every = senml.Columns()
    for run in runs:
        every.extend(run.columns)
    rows = checked(*every.arrays()).rows
    check_names(rows)
    at = 0
    for run in runs:
        part = _compact(rows.slice(at, run.rows), len(rows.column(0).dictionary))
        at += run.rows
        yield _batch(run, part)


def _compact(rows: pa.RecordBatch, names: int) -> pa.RecordBatch:
    """Its own names instead of everybody's, where those are many: readers look at all names of a batch."""
    if names <= GATHER_MAX_NAMES:
        return rows
    own = rows.column(0).dictionary_decode().dictionary_encode()
    return rows.set_column(0, rows.schema.field(0), own)


def _batch(run: _Run, rows: pa.RecordBatch) -> Accepted:
    first = run.arrivals[0]
    format_name, payload = FORMAT, first.payload
    if len(run.arrivals) > 1:
        format_name = FORMAT + many.SUFFIX
        payload = many.pack([(each.received_at, each.payload) for each in run.arrivals])
    decoded = Decoded(rows, run.stream, run.first_seq if run.stream else 0, units=run.columns.units)
    return Accepted(tuple(run.arrivals), run.device, format_name, payload, decoded)
