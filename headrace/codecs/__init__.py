"""Payload formats to Arrow columns, and back to the one format that Headrace writes itself.

Reading order: ``columns`` (the schema that every codec yields), ``arrow``, ``senml``, ``line``
(each with its helpers: ``arrow_columns``; ``cbor``, ``senml_records``, ``senml_readings``, ``senml_columns``; ``readings``, ``line_exact``,
``line_columns``), ``sparkplug`` (with ``sparkplug_schema``, ``sparkplug_values``), ``many`` (small payloads
that the gateway put into one).
Gateway and cloud_sync share them, because the journal keeps payloads as they were received. Not for
the agent: this package imports pyarrow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from headrace.codecs import arrow, line, many, senml
from headrace.codecs.columns import BATCH_SCHEMA, Decoded
from headrace.codecs.many import decode_small
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_PAYLOAD_BYTES, MAX_PAYLOAD_ROWS
from headrace.wire import FORMATS

__all__ = ["BATCH_SCHEMA", "DECODERS", "Decoded", "decode", "decode_small"]


def _sparkplug(payload: bytes, received_us: int) -> Decoded:
    # Imported here: Protobuf takes memory that a site without Sparkplug saves.
    from headrace.codecs import sparkplug

    return sparkplug.decode(payload, received_us)


DECODERS: Final[dict[str, Callable[[bytes, int], Decoded]]] = {
    "arrow": arrow.decode,
    "senml-json": senml.decode_json,
    "senml-cbor": senml.decode_cbor,
    **line.DECODERS,
    "sparkplug": _sparkplug,
    "senml-json" + many.SUFFIX: many.decode_senml_json,
}


def decode(format_name: str, payload: bytes, received_us: int) -> Decoded:
    """The readings of one payload as columns.

    Args:
        format_name: one of ``headrace.wire.FORMATS``, or one that only the gateway gives: line protocol
            in another unit of time (``line.FORMAT_OF_PRECISION``), many payloads in one.
        payload: as it arrived.
        received_us: arrival time, microseconds since 1970 UTC; what relative times refer to.

    Raises:
        PayloadError: refused for good, with the reason; never half a batch.
    """
    decoder = DECODERS.get(format_name)
    if decoder is None:
        raise PayloadError(
            "unknown_format",
            f"format {format_name[:40]!r} is not one of {', '.join(FORMATS)}",
        )
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadError(
            "too_large", f"a payload may have {MAX_PAYLOAD_BYTES} bytes, got {len(payload)}"
        )
    decoded = decoder(payload, received_us)
    if not 1 <= decoded.rows.num_rows <= MAX_PAYLOAD_ROWS:
        raise PayloadError(
            "bad_schema" if decoded.rows.num_rows == 0 else "too_large",
            f"a batch has 1 to {MAX_PAYLOAD_ROWS} readings, got {decoded.rows.num_rows}",
        )
    return decoded
