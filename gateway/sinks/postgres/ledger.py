"""Which readings are in the table: a row a stream, held as ranges of sequence numbers.

The rows of a delivery's streams are locked, in one order for everybody, before the readings are
copied; so of two gateways that got the same batch one waits for the other, and then skips it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from gateway.feed import Entry
from gateway.sinks.columns import Columns, Mask
from gateway.sinks.search import Refusal
from headrace.ranges import Range, RangeSet

Stream = tuple[str, str]  # device, stream

_ADD: Final = (
    "INSERT INTO {table} (device, stream) "
    "SELECT * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING"
)
_LOCK: Final = (
    "SELECT device, stream, seqs FROM {table} "
    "JOIN unnest(%s::text[], %s::text[]) AS wanted (device, stream) USING (device, stream) "
    "ORDER BY device, stream FOR UPDATE OF {name}"
)
_UPDATE: Final = (
    "UPDATE {table} AS w SET seqs = w.seqs + new.seqs::int8multirange "
    "FROM unnest(%s::text[], %s::text[], %s::text[]) AS new (device, stream, seqs) "
    "WHERE w.device = new.device AND w.stream = new.stream"
)


class Ledger:
    """The table ``<table>_written``, inside a transaction of the caller's."""

    def __init__(self, table: str) -> None:
        names = {"table": f"{table}_written", "name": f"{table.split('.')[-1]}_written"}
        self._add, self._lock, self._update = (
            each.format(**names) for each in (_ADD, _LOCK, _UPDATE)
        )

    def lock(self, cursor: Any, streams: Sequence[Stream]) -> dict[Stream, RangeSet]:
        """What has been written of these streams, held until the transaction ends."""
        names = _transposed(streams)
        cursor.execute(self._add, names)
        cursor.execute(self._lock, names)
        return {
            (device, stream): RangeSet((each.lower, each.upper - 1) for each in seqs)
            for device, stream, seqs in cursor.fetchall()
        }

    def write(self, cursor: Any, columns: Columns, refused: Sequence[Refusal]) -> None:
        """All of these readings are there now but the refused ones.

        Those stay out: should the gateway die before they are in quarantine, they come again, and must
        be refused again.
        """
        written: dict[Stream, RangeSet] = {}
        for entry in columns.entries:
            written.setdefault((entry.device, entry.stream), RangeSet()).add(*_seqs(entry))
        for items, _ in refused:
            pairs = zip(columns.batch[items].tolist(), columns.seq[items].tolist(), strict=True)
            for number, seq in pairs:
                entry = columns.entries[number]
                written[entry.device, entry.stream].remove(seq, seq)
        texts = [_multirange(ranges) for ranges in written.values()]
        cursor.execute(self._update, (*_transposed(list(written)), texts))


def new(columns: Columns, known: dict[Stream, RangeSet]) -> Mask:
    """Which readings are not there yet."""
    mask: Mask = np.ones(len(columns), np.bool_)
    start = 0
    for entry in columns.entries:
        end = start + entry.rows.num_rows
        ranges = known[entry.device, entry.stream]
        missing = ranges.missing(*_seqs(entry))
        if missing != [_seqs(entry)]:
            mask[start:end] = False
            for first, last in missing:
                mask[start + first - entry.first_seq : start + last - entry.first_seq + 1] = True
        ranges.add(*_seqs(entry))  # a stream may be cut in two ways within one delivery
        start = end
    return mask


def streams(entries: Sequence[Entry]) -> list[Stream]:
    """The streams of batches, each once, in an order to lock them in."""
    return sorted({(entry.device, entry.stream) for entry in entries})


def _seqs(entry: Entry) -> Range:
    return entry.first_seq, entry.first_seq + entry.rows.num_rows - 1


def _transposed(streams: Sequence[Stream]) -> tuple[list[str], list[str]]:
    return [device for device, _ in streams], [stream for _, stream in streams]


def _multirange(ranges: RangeSet) -> str:
    return "{" + ",".join(f"[{first},{last}]" for first, last in ranges) + "}"
