"""Many small payloads of one device as one: what a journal row holds where a sender sends reading by reading.

A row a reading would cost the journal, and everyone who reads it, a hundred times the reading itself.
So the gateway puts small payloads that arrived together into one row, each as it was received::

    format   "<format>+many", which no device can send: MQTT forbids the plus sign in topics
    payload  MessagePack: [[received, payload], …], received in microseconds since 1970 UTC

``received`` stands beside each, because relative times refer to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import pyarrow as pa

from headrace.batch import check_stream_and_seq
from headrace.codecs.columns import Decoded, checked
from headrace.codecs.senml_readings import Columns
from headrace.codecs.senml_records import records_of_json
from headrace.errors import PayloadError
from headrace.limits.sizes import KIB
from headrace.limits.wire import MAX_SHARED_NAMES

JSON: Final = "senml-json"
SUFFIX: Final = "+many"

#: Bytes up to which sharing columns pays; what is larger fills columns of its own.
_SMALL_BYTES: Final = 2 * KIB

#: (received, payload)
Part = tuple[int, bytes]

_parts = msgspec.msgpack.Decoder(list[Part])


def pack(parts: Sequence[Part]) -> bytes:
    """Several payloads as one."""
    return msgspec.msgpack.encode(parts)


def unpack(payload: bytes) -> list[Part]:
    """The payloads again, as they were received.

    Raises:
        PayloadError: it is no such payload.
    """
    try:
        return _parts.decode(payload)
    except msgspec.MsgspecError as error:
        raise PayloadError("broken_frame", f"not several payloads in one: {error}") from error


def decode_senml_json(payload: bytes, received_us: int) -> Decoded:
    """All readings of ``senml-json+many``; the identity is that of the first payload."""
    del received_us  # each part has its own
    columns = Columns()
    stream, first_seq = _add(columns, unpack(payload))
    return checked(
        *columns.arrays(), stream=stream, first_seq=first_seq, units=columns.units,
        widened=columns.widened,
    )  # fmt: skip


def decode_small(items: Sequence[tuple[str, bytes, int]]) -> list[Decoded | None]:
    """Several payloads with one set of columns between them, for readers of many small rows.

    Args:
        items: format, payload and received of each, as ``codecs.decode`` takes them.

    Returns:
        One for each item; None for what has to be decoded by itself: it is large, of another format,
        or broken.
    """
    columns = Columns()
    found: list[Decoded | None] = [None] * len(items)
    spans: list[_Span] = []
    for number, (format_name, payload, received) in enumerate(items):
        if len(payload) <= _SMALL_BYTES and format_name in (JSON, JSON + SUFFIX):
            span = _read(columns, number, format_name, payload, received)
            if span is not None:
                spans.append(span)
    try:
        rows = checked(*columns.arrays()).rows
    except PayloadError:
        return found
    share = len(rows.column(0).dictionary) <= MAX_SHARED_NAMES
    for span in spans:
        part = rows.slice(span.start, span.end - span.start)
        found[span.number] = Decoded(
            part if share else with_own_names(part), span.stream, span.first_seq, units=span.units,
            widened=span.widened,
        )  # fmt: skip
    return found


def with_own_names(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The same with no other names in its dictionary: readers look at all names of a batch."""
    own = rows.column(0).dictionary_decode().dictionary_encode()
    return rows.set_column(0, rows.schema.field(0), own)


class _Span(msgspec.Struct, frozen=True):
    """Where an item's readings are in the columns, and what it says of itself."""

    number: int
    start: int
    end: int
    stream: str | None
    first_seq: int
    units: dict[str, str]
    widened: dict[str, int]


def _read(
    columns: Columns, number: int, format_name: str, payload: bytes, received: int
) -> _Span | None:
    """Add an item's readings to the columns; None, and nothing added, where that cannot be."""
    start = len(columns.times)
    columns.units, columns.widened = {}, {}
    try:
        parts = [(received, payload)] if format_name == JSON else unpack(payload)
        stream, first_seq = _add(columns, parts)
        count = len(columns.times) - start
        if stream is not None:
            check_stream_and_seq(stream, first_seq, count)
    except PayloadError:
        columns.cut(start)
        return None
    if not count:
        return None
    return _Span(number, start, start + count, stream, first_seq, columns.units, columns.widened)


def _add(columns: Columns, parts: Sequence[Part]) -> tuple[str | None, int]:
    """Add payloads that follow each other; the identity of the first."""
    stream, first_seq = None, 0
    for number, (received, part) in enumerate(parts):
        records = records_of_json(part)
        if number == 0:
            stream, first_seq = records[0].stream, records[0].seq
        columns.add_pack(records, received)
    return stream, first_seq
