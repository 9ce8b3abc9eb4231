"""The value of a Sparkplug metric as a reading: a number, or a text.

The datatype decides, not the field that the value came in: signed integers come as the bits of unsigned
ones, and writers do not agree on the field for the 32-bit ones.
"""

from __future__ import annotations

import base64
import math
import struct
from enum import IntEnum
from typing import Any, Final

import msgspec

from headrace.codecs.sparkplug_schema import DataSet, Template, check_part, parse_part
from headrace.errors import PayloadError

#: An integer is one that has no float64 of its own; the codec takes the nearest, and counts it.
Reading = float | int | str


class DataType(IntEnum):
    """Section 6.4.16 of the specification."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


#: Bits of the signed integers.
_SIGNED: Final = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED: Final = frozenset((5, 6, 7, 8, 13))
_TEXTS: Final = frozenset((12, 14, 15))
_BYTES: Final = frozenset((17, 18))
_ARRAYS: Final = {22: "b", 23: "h", 24: "i", 25: "q", 26: "B", 27: "H", 28: "I", 29: "Q", 30: "f", 31: "d", 34: "Q"}  # fmt: skip


def reading_of(metric: Any) -> Reading:
    """What a metric with name and datatype says.

    Raises:
        PayloadError: it has no value, or one that is not of its type.
    """
    field = metric.WhichOneof("value")
    kind = metric.datatype
    if field == "double_value" or field == "float_value":
        return float(getattr(metric, field))
    if field is None:
        raise PayloadError(
            "bad_schema", f"metric {metric.name[:80]!r} has no value and is not null"
        )
    value = _plain(kind, field, getattr(metric, field), metric.name)
    return value if isinstance(value, (float, int, str)) else json_text(value)


def _plain(kind: int, field: str, value: Any, name: str) -> Any:
    """A float, a text, or something for JSON."""
    if field == "int_value" or field == "long_value":
        return _number(signed(kind, value))
    if field == "boolean_value":
        return float(value)
    if field == "string_value":
        return utf8(value)
    if field == "bytes_value":
        return _from_bytes(kind, value, name)
    if field == "dataset_value":
        return _data_set(value, name)
    return _template(value, name)


def signed(kind: int, value: int) -> int:
    """An integer by its datatype: two's complement in as many bits as the type has."""
    bits = _SIGNED.get(kind)
    if bits is None:
        return value
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _number(value: int) -> Reading:
    """As a float where that is exact."""
    nearest = float(value)
    return nearest if int(nearest) == value else value


def utf8(text: str | bytes) -> str:
    """A text of the payload; Protobuf gives bytes where it is none.

    Raises:
        PayloadError: it is not UTF-8.
    """
    if isinstance(text, bytes):
        raise PayloadError("broken_frame", f"a text is not UTF-8: {text[:40]!r}")
    return text


def _from_bytes(kind: int, value: bytes, name: str) -> Any:
    check_part(value)
    code = _ARRAYS.get(kind)
    if code is not None:
        size = struct.calcsize(code)
        if len(value) % size:
            raise PayloadError(
                "bad_value", f"metric {name[:80]!r}: {len(value)} bytes are no array of {size} each"
            )
        return [_sayable(each) for each in struct.unpack(f"<{len(value) // size}{code}", value)]
    if kind == DataType.BOOLEAN_ARRAY:
        return _booleans(value, name)
    if kind == DataType.STRING_ARRAY:
        return [part.decode("utf-8", "replace") for part in value.split(b"\0")[:-1]]
    return base64.b64encode(value).decode("ascii")


def _booleans(value: bytes, name: str) -> list[bool]:
    """A count of 32 bits, then the bits, the highest of each byte first."""
    count = int.from_bytes(value[:4], "little")
    if len(value) < 4 or count > 8 * (len(value) - 4):
        raise PayloadError("bad_value", f"metric {name[:80]!r} is no array of {count} booleans")
    return [bool(value[4 + at // 8] >> (7 - at % 8) & 1) for at in range(count)]


def _data_set(data: bytes, name: str) -> dict[str, Any]:
    found = parse_part(DataSet, data)
    types = list(found.types)
    rows = [
        [
            _element(types[at] if at < len(types) else 0, element, name)
            for at, element in enumerate(row.elements)
        ]
        for row in found.rows
    ]
    return {"columns": list(found.columns), "rows": rows}


def _element(kind: int, element: Any, name: str) -> Any:
    field = element.WhichOneof("value")
    if field is None:
        return None
    value = getattr(element, field)
    if field == "int_value" or field == "long_value":
        return signed(kind, value)
    return _sayable(value)


def _template(data: bytes, name: str) -> dict[str, Any]:
    """Its metrics by name; a template within a template is base64."""
    found = parse_part(Template, data)
    metrics: dict[str, Any] = {}
    for metric in found.metrics:
        field = metric.WhichOneof("value")
        if metric.is_null or field is None:
            metrics[metric.name] = None
        elif field in ("template_value", "dataset_value"):
            metrics[metric.name] = base64.b64encode(getattr(metric, field)).decode("ascii")
        else:
            metrics[metric.name] = _member(metric, field)
    return {"template": found.template_ref, "metrics": metrics}


def _member(metric: Any, field: str) -> Any:
    value = getattr(metric, field)
    if field in ("int_value", "long_value"):
        return signed(metric.datatype, value)
    if field == "bytes_value":
        return _from_bytes(metric.datatype, value, metric.name)
    return _sayable(value)


def _sayable(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_text(value: Any) -> str:
    """The same text for the same value."""
    return msgspec.json.encode(value).decode()
