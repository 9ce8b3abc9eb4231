"""SenML packs (RFC 8428) in JSON and CBOR: for microcontrollers and for anyone.

Base fields are resolved in one pass over the records. A record's ``sum`` becomes a reading of its
own, named ``<name>.sum``; booleans become 0 and 1; data values stay base64url text. Packs may carry
the labels ``stream`` and ``seq`` in the first record; then they are deduplicated. Records that hold
only base fields yield no reading, and seq counts readings.

Packs of many ordinary records are taken as columns at once (``senml_columns``); the pass over the
records is what a pack means, and takes the rest.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any, Final

import cbor2
import msgspec
import pyarrow as pa

from headrace.codecs.cbor import refuse_traps
from headrace.codecs.columns import MAX_EXACT, MAX_TIME_US, TIME_TYPE, Decoded, checked
from headrace.codecs.senml_columns import (
    Fields,
    First,
    Unusual,
    decoded,
    fields_of_json,
    fields_of_maps,
    split_json,
)
from headrace.errors import PayloadError
from headrace.limits.wire import CBOR_MAX_DEPTH, MAX_DECODED_BYTES, MAX_SENML_RECORDS

#: Times below this are seconds relative to now (RFC 8428, section 4.5.3).
RELATIVE_BELOW: Final = 2**28
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


#: Bytes of a pack from which columns are faster than records one by one.
COLUMNS_FROM_BYTES: Final = 1_000

_json = msgspec.json.Decoder(list[Record])
_json_record = msgspec.json.Decoder(Record)
_json_keys = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


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


def records_of_json(payload: bytes) -> list[Record]:
    """The records of a ``senml-json`` pack, base fields not resolved yet; at least one.

    Raises:
        PayloadError: it is none.
    """
    # A record is an object of some 200 bytes, and "{}," has three.
    if payload.count(b"{") > MAX_SENML_RECORDS:
        _refuse_too_many()
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


def _refuse_too_many() -> None:
    raise PayloadError(
        "too_large",
        f"a SenML pack may have {MAX_SENML_RECORDS} records",
        hint="send several packs, or the arrow format",
    )


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
        _refuse_too_many()
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


class Columns:
    """Readings of packs on their way into columns."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.times: list[int] = []
        self.values: list[float | None] = []
        self.texts: list[str | None] = []
        self.units: dict[str, str] = {}
        self.widened: dict[str, int] = {}
        self._chars = 0  # of names: a long prefix makes a small pack large

    def add(self, name: str, time: int, value: float | None, text: str | None, unit: str) -> None:
        self._chars += len(name)
        if self._chars > MAX_DECODED_BYTES:
            raise PayloadError(
                "bomb", f"the names of a pack may come to {MAX_DECODED_BYTES} characters"
            )
        self.names.append(name)
        self.times.append(time)
        self.values.append(value)
        self.texts.append(text)
        if unit:
            self.units[name] = unit

    def number(self, name: str, one: Number, other: Number) -> float:
        """Two numbers of a pack for a series, added up; integers become the float64 nearest to them.

        Raises:
            PayloadError: one is beyond float64, or they come to more than there is.
        """
        lost = _is_inexact(one) or _is_inexact(other)
        total = _finite(_finite(one) + _finite(other))
        if lost:
            self.widened[name] = self.widened.get(name, 0) + 1
        return total

    def cut(self, count: int) -> None:
        """Keep the first ``count`` readings."""
        for column in (self.names, self.times, self.values, self.texts):
            del column[count:]

    def add_pack(self, records: list[Record], received_us: int) -> None:
        """All readings of a pack, base fields resolved.

        Raises:
            PayloadError: a record breaks the format; the columns hold a part of the pack then.
        """
        base = Record()
        for record in records:
            _carry_base(base, record)
            _add_readings(self, base, record, received_us)

    def arrays(self) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
        """Name, time, value and text.

        Raises:
            PayloadError: a text is not valid Unicode, a time beyond all calendars.
        """
        try:
            name = pa.array(self.names, pa.utf8()).dictionary_encode()
            text = pa.array(self.texts, pa.utf8())
            time = pa.array(self.times, pa.int64()).cast(TIME_TYPE)
        except (UnicodeEncodeError, pa.ArrowInvalid) as error:
            raise PayloadError("bad_value", f"a text is not valid Unicode: {error}") from error
        except OverflowError as error:
            raise PayloadError("bad_value", f"a time is beyond 64 bits: {error}") from error
        return name, time, pa.array(self.values, pa.float64()), text


def resolve(records: list[Record], received_us: int) -> Decoded:
    """The readings of any pack, record by record: what it means."""
    if not records:
        raise PayloadError("bad_schema", "a SenML pack has at least one record")
    columns = Columns()
    columns.add_pack(records, received_us)
    first = records[0]
    return checked(
        *columns.arrays(),
        stream=first.stream,
        first_seq=first.seq,
        units=columns.units,
        widened=columns.widened,
    )


def _carry_base(base: Record, record: Record) -> None:
    if record.bver > MAX_VERSION:
        raise PayloadError("bad_schema", f"SenML version {record.bver} is newer than {MAX_VERSION}")
    base.bn = record.bn or base.bn
    base.bt = record.bt if record.bt is not None else base.bt
    base.bu = record.bu if record.bu is not None else base.bu
    base.bv = record.bv if record.bv is not None else base.bv
    base.bs = record.bs if record.bs is not None else base.bs


def _add_readings(columns: Columns, base: Record, record: Record, received_us: int) -> None:
    name = base.bn + record.n
    unit = record.u or base.bu or ""
    values = (record.v, record.vs, record.vb, record.vd)
    given = sum(value is not None for value in values)
    if given > 1:
        raise PayloadError("bad_value", f"record {name[:80]!r} has more than one value")
    has_sum = record.s is not None or (base.bs is not None and given == 1)
    if given == 0 and record.s is None and not (record.n and base.bv is not None):
        return  # a record of base fields alone
    time = _time_us(base, record, received_us)
    if has_sum:
        total = columns.number(f"{name}.sum", base.bs or 0, record.s or 0)
        columns.add(f"{name}.sum", time, total, None, f"{unit}s" if unit else "")
    if record.vb is not None:
        columns.add(name, time, float(record.vb), None, unit)
    elif record.vs is not None or record.vd is not None:
        columns.add(name, time, None, record.vs if record.vs is not None else record.vd, unit)
    elif record.v is not None or base.bv is not None:
        columns.add(name, time, columns.number(name, record.v or 0, base.bv or 0), None, unit)


def _finite(number: Number) -> float:
    try:
        found = float(number)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise PayloadError("bad_value", f"{number} is no number that float64 holds")
    return found


def _is_inexact(number: Number) -> bool:
    """Whether it is an integer that has no float64 of its own (those beyond all are refused elsewhere)."""
    if isinstance(number, float) or abs(number) <= MAX_EXACT:
        return False
    return int(_finite(number)) != number


def _time_us(base: Record, record: Record, received_us: int) -> int:
    seconds = (base.bt or 0) + record.t
    if not abs(seconds) <= MAX_TIME_US // 1_000_000:
        raise PayloadError("bad_value", f"time {seconds} is not a time in seconds")
    absolute = round(seconds * 1_000_000)
    return absolute if seconds >= RELATIVE_BELOW else received_us + absolute
