"""What must hold for any payload, by codec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cbor2
import pyarrow as pa

from headrace import codecs
from headrace.codecs import (
    Decoded,
    line_columns,
    line_exact,
    many,
    senml,
    senml_readings,
    senml_records,
)
from headrace.codecs.senml_columns import Unusual
from headrace.errors import PayloadError
from headrace.limits.wire import CBOR_MAX_DEPTH
from tests.wire_vectors import NOW_US, payload, vectors


def _same(one: Decoded, other: Decoded) -> None:
    assert one == other
    bits = [each.rows.column("value").view(pa.int64()) for each in (one, other)]
    assert bits[0].equals(bits[1])


def _decoded(format_name: str, data: bytes) -> Decoded | None:
    """Checked to the last offset, or None where it is refused."""
    try:
        found = codecs.decode(format_name, data, NOW_US)
    except PayloadError:
        return None
    found.rows.validate(full=True)
    assert found.rows.schema == codecs.BATCH_SCHEMA
    return found


def arrow(data: bytes) -> None:
    _decoded("arrow", data)


def line(data: bytes) -> None:
    """Both readers agree."""
    _decoded("line", data)
    _decoded("line-h", data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    fast = line_columns.decode(data, NOW_US, 1, 1_000)
    if fast is not None:
        _same(fast, line_exact.decode(text, NOW_US, 1, 1_000))


def senml_json(data: bytes) -> None:
    """Both readers agree."""
    _decoded("senml-json", data)
    try:
        fast = senml.ordinary_json(data, NOW_US)
    except Unusual:
        return
    _same(fast, senml_readings.resolve(senml_records.records_of_json(data), NOW_US))


def senml_cbor(data: bytes) -> None:
    """Both readers agree."""
    if _decoded("senml-cbor", data) is None:
        return
    maps = cbor2.loads(data, max_depth=CBOR_MAX_DEPTH)
    try:
        fast = senml.ordinary(*senml.split_maps(maps), NOW_US)
    except Unusual:
        return
    _same(fast, senml_readings.resolve(senml_records.records_of_maps(maps), NOW_US))


def senml_json_many(data: bytes) -> None:
    _decoded("senml-json" + many.SUFFIX, data)


def sparkplug(data: bytes) -> None:
    _decoded("sparkplug", data)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "arrow": arrow,
    "line": line,
    "senml-json": senml_json,
    "senml-cbor": senml_cbor,
    "senml-json+many": senml_json_many,
    "sparkplug": sparkplug,
}


def seeds(target: str) -> list[bytes]:
    """Payloads to begin with: the wire vectors of the format."""
    plain = [
        payload(vector)
        for vector in vectors("batch")
        if vector["format"] == target.removesuffix(many.SUFFIX)
    ]
    if target.endswith(many.SUFFIX):
        return [many.pack([(NOW_US, one), (NOW_US, two)]) for one in plain for two in plain[:3]]
    return plain
