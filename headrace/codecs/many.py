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

from headrace.codecs import senml
from headrace.codecs.columns import Decoded, checked
from headrace.errors import PayloadError

SUFFIX: Final = "+many"

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
    columns = senml.Columns()
    stream, first_seq = None, 0
    for number, (received, part) in enumerate(unpack(payload)):
        records = senml.records_of_json(part)
        if number == 0:
            stream, first_seq = records[0].stream, records[0].seq
        columns.add_pack(records, received)
    return checked(*columns.arrays(), stream=stream, first_seq=first_seq, units=columns.units)
