"""SenML packs (RFC 8428) in JSON and CBOR: for microcontrollers and for anyone.

Records are read (``senml_records``) and their base fields resolved in one pass (``senml_readings``). A record's ``sum`` becomes a reading of its
own, named ``<name>.sum``; booleans become 0 and 1; data values stay base64url text. Packs may carry
the labels ``stream`` and ``seq`` in the first record; then they are deduplicated. Records that hold
only base fields yield no reading, and seq counts readings.

Packs of many ordinary records are taken as columns at once (``senml_columns``); the pass over the
records is what a pack means, and takes the rest.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

import cbor2
import msgspec

from headrace.codecs.cbor import refuse_traps
from headrace.codecs.columns import Decoded
from headrace.codecs.senml_columns import (
    Fields,
    First,
    Unusual,
    decoded,
    fields_of_json,
    fields_of_maps,
    split_json,
)
from headrace.codecs.senml_readings import RELATIVE_BELOW, resolve
from headrace.codecs.senml_records import (
    MAX_VERSION,
    Record,
    records_of_json,
    records_of_maps,
    refuse_too_many,
)
from headrace.errors import PayloadError
from headrace.limits.wire import CBOR_MAX_DEPTH, MAX_SENML_RECORDS

#: Bytes of a pack from which columns are faster than records one by one.
COLUMNS_FROM_BYTES: Final = 1_000

_json_record = msgspec.json.Decoder(Record)


def decode_json(payload: bytes, received_us: int) -> Decoded:
    """Decode a ``senml-json`` pack."""
    if len(payload) >= COLUMNS_FROM_BYTES:
        try:
            return ordinary_json(payload, received_us)
        except Unusual:
            pass
    return resolve(records_of_json(payload), received_us)


def ordinary_json(payload: bytes, received_us: int) -> Decoded:
    """The readings of a pack of ordinary records.

    Raises:
        Unusual: it is not one.
    """
    if b'_"' in payload or payload.count(b"{") > MAX_SENML_RECORDS:
        raise Unusual
    first, others = split_json(payload)
    try:
        record = _json_record.decode(first)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unusual from error
    return ordinary(record, fields_of_json(others), received_us)


def ordinary(first: Record, others: Fields, received_us: int) -> Decoded:
    """The pack's readings, if nothing about its first record is unusual either.

    Raises:
        Unusual: something is.
    """
    unusual = (first.bv, first.bs, first.s, first.vs, first.vb, first.vd)
    if first.bver > MAX_VERSION or unusual != (None,) * len(unusual):
        raise Unusual
    base = First(first.bn, first.bt, first.bu, first.stream, first.seq)
    if first.v is not None:
        others.put_first(first.n, first.u, first.v, first.t)
    return decoded(base, others, received_us, RELATIVE_BELOW)


def decode_cbor(payload: bytes, received_us: int) -> Decoded:
    """Decode a ``senml-cbor`` pack."""
    refuse_traps(payload)
    source = io.BytesIO(payload)
    try:
        pack = cbor2.load(source, max_depth=CBOR_MAX_DEPTH)
    except (cbor2.CBORDecodeError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:  # fmt: skip
        raise PayloadError("broken_frame", f"not valid CBOR: {error}") from error
    if source.tell() != len(payload):
        raise PayloadError(
            "broken_frame", f"the pack has {source.tell()} bytes, the payload {len(payload)}"
        )
    if not isinstance(pack, list) or not all(isinstance(record, dict) for record in pack):
        raise PayloadError("bad_schema", "a SenML pack is an array of maps")
    if len(pack) > MAX_SENML_RECORDS:
        refuse_too_many()
    if len(payload) >= COLUMNS_FROM_BYTES:
        try:
            return ordinary(*split_maps(pack), received_us)
        except Unusual:
            pass
    return resolve(records_of_maps(pack), received_us)


def split_maps(pack: list[Mapping[Any, Any]]) -> tuple[Record, Fields]:
    """The first record, and the fields of the others if they are ordinary."""
    fields = fields_of_maps(pack[1:])
    return records_of_maps(pack[:1])[0], fields
