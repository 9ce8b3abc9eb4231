"""Many small stored batches as one large message.

A quiet device stores a batch a second; after a night without a broker that is 30,000 of them, and
the cost of everything behind is per message. Their columns need not be touched: an Arrow stream is
framed messages, so the record batches of neighbours are put behind one schema message that carries
the first one's seq and everyone's units::

    [schema 1][batch 1][end]  [schema 2][batch 2][end]   →   [schema 1+2][batch 1][batch 2][end]

Neighbours join when their numbers follow without a hole and boot, clock and columns are the same.
The gateway deduplicates by numbers, so it does not matter that a resend after a restart may be cut
differently.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from edge_agent.buffer.batches import StoredBatch, arrow_stream, contradict, units_of
from edge_agent.encode import END_OF_STREAM, Header, compress, schema_message
from headrace.limits.wire import MAX_BATCH_ROWS

#: Bytes of stored payloads that one message may join: with text, rows alone would not bound it.
MAX_JOINED_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message: the readings ``first_seq..last_seq`` and their payload."""

    first_seq: int
    last_seq: int
    payload: bytes


def next_message(
    stored: Iterable[StoredBatch], stream: str, max_rows: int = MAX_BATCH_ROWS
) -> Outgoing | None:
    """The longest message that the first batches of ``stored`` make; None when there are none.

    Args:
        max_rows: batches are joined up to this; one that is larger by itself is sent as it is.
    """
    group = _neighbours(stored, max_rows)
    if not group:
        return None
    first, last = group[0], group[-1]
    payload = first.payload if len(group) == 1 else join(group, stream)
    return Outgoing(first.first_seq, last.last_seq, payload)


def _neighbours(stored: Iterable[StoredBatch], max_rows: int) -> list[StoredBatch]:
    group: list[StoredBatch] = []
    units: dict[str, str] = {}
    rows = size = 0
    for batch in stored:
        rows += batch.rows
        size += len(batch.payload)
        theirs = units_of(batch)
        if group and (
            rows > max_rows
            or size > MAX_JOINED_BYTES
            or not _fits(group[-1], batch)
            or contradict(units, theirs)
        ):
            break
        group.append(batch)
        units.update(theirs)
        if rows == max_rows:
            break
    return group


def _fits(left: StoredBatch, right: StoredBatch) -> bool:
    return (left.last_seq + 1, left.boot, left.clock, left.has_text) == (
        right.first_seq, right.boot, right.clock, right.has_text,
    )  # fmt: skip


def join(group: list[StoredBatch], stream: str) -> bytes:
    """One payload with the record batches of all."""
    first = group[0]
    units: dict[str, str] = {}
    for batch in group:
        units.update(units_of(batch))
    header = Header(stream, first.first_seq, first.boot, first.clock, units, first.has_text)
    parts = [schema_message(header), *(_record_batches(b) for b in group), END_OF_STREAM]
    return compress(b"".join(parts))


def _record_batches(batch: StoredBatch) -> bytes:
    """What stands between the schema message and the end of the stream."""
    stream = arrow_stream(batch)
    # Continuation marker, length of the metadata, metadata; a schema has no body.
    (length,) = struct.unpack_from("<i", stream, 4)
    return stream[8 + length : -len(END_OF_STREAM)]
