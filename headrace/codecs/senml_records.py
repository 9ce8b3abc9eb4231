"""Records of SenML packs as they stand in JSON and CBOR; base fields are not resolved yet (``senml_readings``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from headrace.errors import PayloadError
from headrace.limits.wire import MAX_SENML_RECORDS

MAX_VERSION: Final = 10

_CBOR_LABELS: Final = {
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip

Number = int | float


class Record(msgspec.Struct):
    """One SenML record, base fields included; unknown labels are ignored."""

    bn: str = ""
    bt: Number | None = None
    bu: str | None = None
    bv: Number | None = None
    bs: Number | None = None
    bver: int = MAX_VERSION
    n: str = ""
    u: str | None = None
    v: Number | None = None
    vs: str | None = None
    vb: bool | None = None
    vd: str | None = None
    s: Number | None = None
    t: Number = 0
    ut: Number = 0
    stream: str | None = None
    seq: int = 0


_json = msgspec.json.Decoder(list[Record])
_json_keys = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def records_of_json(payload: bytes) -> list[Record]:
    """The records of a ``senml-json`` pack, base fields not resolved yet; at least one.

    Raises:
        PayloadError: it is none.
    """
    # A record is an object of some 200 bytes, and "{}," has three.
    if payload.count(b"{") > MAX_SENML_RECORDS:
        refuse_too_many()
    try:
        records = _json.decode(payload)
        if b'_"' in payload:
            for fields in _json_keys.decode(payload):
                _refuse_unknown_must(fields)
    except msgspec.ValidationError as error:
        raise PayloadError("bad_schema", f"not a SenML pack: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError("broken_frame", f"not valid JSON: {error}") from error
    if not records:
        raise PayloadError("bad_schema", "a SenML pack has at least one record")
    return records


def refuse_too_many() -> None:
    """A pack has more records than one may have."""
    raise PayloadError(
        "too_large",
        f"a SenML pack may have {MAX_SENML_RECORDS} records",
        hint="send several packs, or the arrow format",
    )


def records_of_maps(pack: list[Mapping[Any, Any]]) -> list[Record]:
    """The records of a CBOR pack, base fields not resolved yet.

    Raises:
        PayloadError: they are none.
    """
    try:
        return msgspec.convert([_named(record) for record in pack], list[Record])
    except (msgspec.ValidationError, TypeError, UnicodeEncodeError) as error:
        raise PayloadError("bad_schema", f"not a SenML pack: {error}") from error


def _named(record: Mapping[Any, Any]) -> dict[str, Any]:
    named = {_CBOR_LABELS.get(label, label): value for label, value in record.items()}
    fields = {label: value for label, value in named.items() if isinstance(label, str)}
    _refuse_unknown_must(fields)
    return fields


def _refuse_unknown_must(fields: Mapping[str, Any]) -> None:
    """RFC 8428: a label that ends in ``_`` must be understood or the pack refused."""
    for label in fields:
        if label.endswith("_"):
            raise PayloadError("bad_schema", f"label {label[:40]!r} must be understood and is not")
