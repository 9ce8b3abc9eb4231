"""SenML packs (RFC 8428) in JSON and CBOR: for microcontrollers and for anyone.

Base fields are resolved in one pass over the records. A record's ``sum`` becomes a reading of its
own, named ``<name>.sum``; booleans become 0 and 1; data values stay base64url text. Packs may carry
the labels ``stream`` and ``seq`` in the first record; then they are deduplicated. Records that hold
only base fields yield no reading, and seq counts readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import cbor2
import msgspec
import pyarrow as pa

from headrace.codecs.columns import MAX_TIME_US, TIME_TYPE, Decoded, checked
from headrace.errors import PayloadError

#: Times below this are seconds relative to now (RFC 8428, section 4.5.3).
RELATIVE_BELOW: Final = 2**28
MAX_VERSION: Final = 10
MAX_EXACT: Final = 2**53

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


def decode_json(payload: bytes, received_us: int) -> Decoded:
    """Decode a ``senml-json`` pack."""
    return _resolve(records_of_json(payload), received_us)


def records_of_json(payload: bytes) -> list[Record]:
    """The records of a ``senml-json`` pack, base fields not resolved yet; at least one.

    Raises:
        PayloadError: it is none.
    """
    try:
        records = _json.decode(payload)
        if b'_"' in payload:
            for fields in _json_keys.decode(payload):
                _refuse_unknown_must(fields)
    except msgspec.ValidationError as error:
        raise PayloadError("bad_schema", f"not a SenML pack: {error}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise PayloadError("broken_frame", f"not valid JSON: {error}") from error
    if not records:
        raise PayloadError("bad_schema", "a SenML pack has at least one record")
    return records


def decode_cbor(payload: bytes, received_us: int) -> Decoded:
    """Decode a ``senml-cbor`` pack."""
    try:
        # str_errors and tags stay at their strict defaults: what is not SenML is refused below.
        pack = cbor2.loads(payload)
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:  # fmt: skip
        raise PayloadError("broken_frame", f"not valid CBOR: {error}") from error
    if not isinstance(pack, list) or not all(isinstance(record, dict) for record in pack):
        raise PayloadError("bad_schema", "a SenML pack is an array of maps")
    try:
        records = msgspec.convert([_named(record) for record in pack], list[Record])
    except (msgspec.ValidationError, TypeError) as error:
        raise PayloadError("bad_schema", f"not a SenML pack: {error}") from error
    return _resolve(records, received_us)


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

    def add(self, name: str, time: int, value: float | None, text: str | None, unit: str) -> None:
        self.names.append(name)
        self.times.append(time)
        self.values.append(value)
        self.texts.append(text)
        if unit:
            self.units[name] = unit

    def extend(self, others: Columns) -> None:
        """The readings of other columns behind these."""
        self.names += others.names
        self.times += others.times
        self.values += others.values
        self.texts += others.texts
        self.units |= others.units

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
            PayloadError: a text is not valid Unicode.
        """
        try:
            name = pa.array(self.names, pa.utf8()).dictionary_encode()
            text = pa.array(self.texts, pa.utf8())
        except (UnicodeEncodeError, pa.ArrowInvalid) as error:
            raise PayloadError("bad_value", f"a text is not valid Unicode: {error}") from error
        time = pa.array(self.times, pa.int64()).cast(TIME_TYPE)
        return name, time, pa.array(self.values, pa.float64()), text


def _resolve(records: list[Record], received_us: int) -> Decoded:
    if not records:
        raise PayloadError("bad_schema", "a SenML pack has at least one record")
    columns = Columns()
    columns.add_pack(records, received_us)
    first = records[0]
    return checked(*columns.arrays(), stream=first.stream, first_seq=first.seq, units=columns.units)


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
        total = _exact(base.bs or 0) + _exact(record.s or 0)
        columns.add(f"{name}.sum", time, total, None, f"{unit}s" if unit else "")
    if record.vb is not None:
        columns.add(name, time, float(record.vb), None, unit)
    elif record.vs is not None or record.vd is not None:
        columns.add(name, time, None, record.vs if record.vs is not None else record.vd, unit)
    elif record.v is not None or base.bv is not None:
        columns.add(name, time, _exact(record.v or 0) + _exact(base.bv or 0), None, unit)


def _exact(number: Number) -> float:
    if isinstance(number, int) and abs(number) > MAX_EXACT and _loses(number):
        raise PayloadError(
            "bad_value",
            f"{number} cannot be held exactly by a 64-bit float",
            hint="send it as a string value (vs)",
        )
    return float(number)


def _loses(number: int) -> bool:
    try:
        return int(float(number)) != number
    except OverflowError:
        return True


def _time_us(base: Record, record: Record, received_us: int) -> int:
    seconds = (base.bt or 0) + record.t
    if seconds != seconds or abs(seconds) > MAX_TIME_US:
        raise PayloadError("bad_value", f"time {seconds} is not a time in seconds")
    absolute = round(seconds * 1_000_000)
    return absolute if seconds >= RELATIVE_BELOW else received_us + absolute
