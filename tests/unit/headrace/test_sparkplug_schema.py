"""The table of Sparkplug's messages is the one that others have."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from headrace.codecs.sparkplug_schema import MESSAGES
from headrace.codecs.sparkplug_values import DataType
from tests.servers.sparkplug import sparkplug

TYPES = {
    FieldDescriptor.TYPE_UINT32: "uint32", FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_FLOAT: "float", FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_BOOL: "bool", FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
}  # fmt: skip


def theirs() -> dict[str, Any]:
    """Descriptors of the other library by their names."""
    from pysparkplug._protobuf import sparkplug_b_pb2

    assert sparkplug is not None
    found: dict[str, Any] = {}
    waiting = [sparkplug_b_pb2.Payload.DESCRIPTOR]
    while waiting:
        each = waiting.pop()
        found[each.name] = each
        waiting += each.nested_types
    return found


def test_every_field_has_the_number_and_the_type_that_others_know() -> None:
    """What may nest is bytes here, which is the same on the wire."""
    other = theirs()
    for message, fields in MESSAGES.items():
        known = {field.name: field for field in other[message].fields}
        for name, (number, kind) in fields.items():
            field, plain = known[name], kind.lstrip("*|")
            assert (field.number, field.is_repeated) == (number, kind.startswith("*")), name
            nested = field.type == FieldDescriptor.TYPE_MESSAGE
            assert plain == (("bytes", field.message_type.name)[plain != "bytes"] if nested else TYPES[field.type]), name  # fmt: skip


def test_datatypes_have_their_numbers() -> None:
    """By the names of the specification; unknown ones and property sets are no values of metrics."""
    others = {kind.name: int(kind) for kind in sparkplug.DataType}
    assert {kind.name: int(kind) for kind in DataType}.items() <= others.items()
    left = others.keys() - {kind.name for kind in DataType}
    assert left == {"UNKNOWN", "PROPERTYSET", "PROPERTYSETLIST"}
