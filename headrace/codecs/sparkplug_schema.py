"""The Protobuf messages of a Sparkplug B payload, as far as readings need them.

Field numbers and types are those of the Sparkplug specification 3.0 (section 6.4, "Sparkplug B Google
Protocol Buffer Schema"); a test compares them with those of a Sparkplug client. They stand here as a
table and are given to the Protobuf runtime at import, so there is no generated code that must fit the
runtime's version.

What may nest (data sets, templates, properties) is declared as bytes, which is the same on the wire:
a payload then costs memory by its metrics alone, and nobody's depth is followed unasked. What is
not declared (metadata, body, uuid) is kept when a message is written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from headrace.errors import PayloadError
from headrace.limits.wire import (
    SPARKPLUG_MAX_METRICS,
    SPARKPLUG_MAX_PART_BYTES,
    SPARKPLUG_MAX_PAYLOAD_BYTES,
)

_Field = descriptor_pb2.FieldDescriptorProto
_NUMBERS: Final = {
    "uint32": _Field.TYPE_UINT32, "uint64": _Field.TYPE_UINT64, "float": _Field.TYPE_FLOAT,
    "double": _Field.TYPE_DOUBLE, "bool": _Field.TYPE_BOOL, "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}  # fmt: skip

#: Message to fields: name to (number, type). ``*`` marks repeated ones, ``|`` those of the one value.
#: A type that is no plain one is another message of this table.
MESSAGES: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "Payload": {"timestamp": (1, "uint64"), "metrics": (2, "*Metric"), "seq": (3, "uint64")},
    "Metric": {
        "name": (1, "string"), "alias": (2, "uint64"), "timestamp": (3, "uint64"),
        "datatype": (4, "uint32"), "is_historical": (5, "bool"), "is_null": (7, "bool"),
        "properties": (9, "bytes"),
        "int_value": (10, "|uint32"), "long_value": (11, "|uint64"), "float_value": (12, "|float"),
        "double_value": (13, "|double"), "boolean_value": (14, "|bool"),
        "string_value": (15, "|string"), "bytes_value": (16, "|bytes"),
        "dataset_value": (17, "|bytes"), "template_value": (18, "|bytes"),
    },
    "PropertySet": {"keys": (1, "*string"), "values": (2, "*PropertyValue")},
    "PropertyValue": {
        "type": (1, "uint32"), "is_null": (2, "bool"),
        "int_value": (3, "|uint32"), "long_value": (4, "|uint64"), "float_value": (5, "|float"),
        "double_value": (6, "|double"), "boolean_value": (7, "|bool"), "string_value": (8, "|string"),
    },
    "DataSet": {
        "num_of_columns": (1, "uint64"), "columns": (2, "*string"), "types": (3, "*uint32"),
        "rows": (4, "*Row"),
    },
    "Row": {"elements": (1, "*DataSetValue")},
    "DataSetValue": {
        "int_value": (1, "|uint32"), "long_value": (2, "|uint64"), "float_value": (3, "|float"),
        "double_value": (4, "|double"), "boolean_value": (5, "|bool"), "string_value": (6, "|string"),
    },
    "Template": {
        "version": (1, "string"), "metrics": (2, "*Metric"), "template_ref": (4, "string"),
        "is_definition": (5, "bool"),
    },
}  # fmt: skip


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="headrace/sparkplug.proto", package="headrace.sparkplug", syntax="proto2"
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(message, field, number, kind)
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    plain = kind.lstrip("*|")
    label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
    added = message.field.add(name=name, number=number, label=label)
    if plain in _NUMBERS:
        added.type = _NUMBERS[plain]
    else:
        added.type, added.type_name = _Field.TYPE_MESSAGE, f".headrace.sparkplug.{plain}"
    if kind.startswith("|"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        added.oneof_index = 0


# A pool of our own: another library in this process may know the same messages by their usual names.
_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def message_class(name: str) -> Any:
    """The class of a message of the table."""
    found = _pool.FindMessageTypeByName(f"headrace.sparkplug.{name}")
    return message_factory.GetMessageClass(found)


Payload: Final = message_class("Payload")
PropertySet: Final = message_class("PropertySet")
DataSet: Final = message_class("DataSet")
Template: Final = message_class("Template")


def parse(payload: bytes) -> Any:
    """A payload, bounded before it is taken apart.

    Raises:
        PayloadError: too large, too many metrics, or no Protobuf of this schema.
    """
    if len(payload) > SPARKPLUG_MAX_PAYLOAD_BYTES:
        raise PayloadError(
            "too_large",
            f"a Sparkplug payload may have {SPARKPLUG_MAX_PAYLOAD_BYTES} bytes, got {len(payload)}",
        )
    # The tag of a metric is this byte, so there are at most so many; an empty one takes two bytes.
    if payload.count(b"\x12") > SPARKPLUG_MAX_METRICS:
        raise PayloadError(
            "too_large", f"a Sparkplug payload may have {SPARKPLUG_MAX_METRICS} metrics"
        )
    return parse_part(Payload, payload)


def check_part(data: bytes) -> None:
    """Raises:
    PayloadError: a value that becomes a text is too large for one.
    """
    if len(data) > SPARKPLUG_MAX_PART_BYTES:
        raise PayloadError(
            "too_large",
            f"a part of a metric may have {SPARKPLUG_MAX_PART_BYTES} bytes, got {len(data)}",
        )


def parse_part(kind: Any, data: bytes) -> Any:
    """One message of the table, within another or alone.

    Raises:
        PayloadError: it is none, or too large for a part.
    """
    if kind is not Payload:
        check_part(data)
    message: Message = kind()
    try:
        message.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError("broken_frame", f"not a Sparkplug B payload: {error}") from error
    return message
