"""What a graph's bytes are, told by their structure and never by their name.

Two formats run: TensorFlow Lite (a flatbuffer with the identifier ``TFL3``) and ONNX (a protobuf).
Both are data for a fixed set of operators. What can bring code of its own along is refused: pickles
and joblib files, zip archives (Keras, PyTorch), HDF5, libraries, and within the two formats whatever
points outside of them: custom and Flex operators in TFLite; operators of unknown domains, functions,
training graphs and external data in ONNX.

The readers here are the few lines that it takes to walk either format, because this is checked
wherever a model arrives, also where no runtime's own parser is installed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from headrace.errors import ModelError
from headrace.limits.models import MODEL_MAX_FILE_BYTES
from headrace.models.manifest import Runtime

#: Beginnings of what people try: (magic, what it is). All of it can carry code, or unpacks to it.
_REFUSED: Final = (
    (b"PK\x03\x04", "a zip archive (Keras, PyTorch, npz)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89HDF\r\n", "an HDF5 file (Keras)"),
    (b"\x7fELF", "a program or library"),
    (b"MZ", "a program or library"),
    (b"#!", "a script"),
    (b"\x1f\x8b", "a gzip file (joblib, tar)"),
    (b"BZh", "a bzip2 file (joblib)"),
    (b"\xfd7zXZ", "an xz file (joblib)"),
    (b"]\x00\x00", "an lzma file (joblib)"),
    (b"\x78\x9c", "a zlib stream (joblib)"),
    (b"\x78\x01", "a zlib stream (joblib)"),
    (b"\x78\xda", "a zlib stream (joblib)"),
    (b"\x93NUMPY", "a numpy file"),
)
_PICKLE_PROTOCOLS: Final = range(2, 6)

#: BuiltinOperator_CUSTOM of the TFLite schema.
_CUSTOM: Final = 32

#: Operator domains of the ONNX standard; a runtime's own ("com.microsoft") are not everywhere.
_DOMAINS: Final = frozenset({b"", b"ai.onnx", b"ai.onnx.ml"})

#: Depth of graphs within graphs (If, Loop) that is followed.
_MAX_DEPTH: Final = 16


def check_graph(data: bytes, source: str, *, expected: Runtime | None = None) -> Runtime:
    """The runtime that a graph's bytes are for.

    Raises:
        ModelError: something else than TFLite or ONNX, something that carries code, or not what is
            expected.
    """
    if len(data) > MODEL_MAX_FILE_BYTES:
        raise ModelError(
            f"{source}: expected at most {MODEL_MAX_FILE_BYTES} bytes, got {len(data)}"
        )
    refused = _refused(data)
    if refused:
        raise ModelError(
            f"{source}: is {refused}, which can carry code",
            hint="convert the model to .tflite or .onnx (scikit-learn: skl2onnx)",
        )
    found: Runtime = "litert" if data[4:8] == b"TFL3" else "onnx"
    try:
        (_check_tflite if found == "litert" else _check_onnx)(data, source)
    except (struct.error, IndexError, ValueError) as error:
        raise ModelError(
            f"{source}: expected a TFLite or ONNX graph, got {len(data)} bytes that are neither: {error}",
            hint="if it should be one, it is damaged; copy or convert it again",
        ) from error
    if expected is not None and found != expected:
        raise ModelError(f"{source}: expected a graph for {expected}, got one for {found}")
    return found


def _refused(data: bytes) -> str:
    for magic, words in _REFUSED:
        if data.startswith(magic):
            return words
    if data[:1] == b"\x80" and len(data) > 1 and data[1] in _PICKLE_PROTOCOLS:
        return "a pickle (joblib, scikit-learn, PyTorch)"
    # Protocol 0 and 1 are text: they end with a stop, and a module is named in a line of its own.
    if data.rstrip()[-1:] == b"." and data[:1] in (b"c", b"(", b"]", b"}") and b"\n" in data:
        return "a pickle of protocol 0"
    return ""


# --- TFLite: a flatbuffer ---------------------------------------------------------------------------


def _check_tflite(data: bytes, source: str) -> None:
    model = _Table.root(data)
    if model.integer(0, "<I") != 3:
        raise ValueError(f"schema version {model.integer(0, '<I')}, expected 3")
    codes, graphs = model.tables(1), model.tables(2)
    if not codes or not graphs:
        raise ValueError("no operators or no graph")
    for code in codes:
        # The first field is the builtin code of old writers, of one byte.
        if _CUSTOM in (code.integer(0, "<b"), code.integer(3, "<i")) or code.text(1):
            name = code.text(1).decode("utf-8", "replace")
            raise ModelError(
                f"{source}: has the custom operator {name!r}, expected builtin operators only",
                hint="convert it again without custom and Flex operators",
            )


class _Table:
    """A flatbuffer table: fields are found through its vtable; every offset is checked."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        (back,) = _unpack("<i", data, at)
        self._vtable = at - back
        (self._size,) = _unpack("<H", data, self._vtable)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, _unpack("<I", data, 0)[0])

    def integer(self, field: int, kind: str) -> int:
        """A number; 0 where the field is absent, which is every default that is asked for here."""
        at = self._field(field)
        return int(_unpack(kind, self._data, at)[0]) if at else 0

    def tables(self, field: int) -> list[_Table]:
        start, count = self._vector(field)
        places = (start + 4 * index for index in range(count))
        return [_Table(self._data, at + _unpack("<I", self._data, at)[0]) for at in places]

    def text(self, field: int) -> bytes:
        start, count = self._vector(field)
        return self._data[start : start + count]

    def _vector(self, field: int) -> tuple[int, int]:
        at = self._field(field)
        if not at:
            return 0, 0
        at += _unpack("<I", self._data, at)[0]
        (count,) = _unpack("<I", self._data, at)
        if at + 4 + count > len(self._data):
            raise ValueError("a vector ends behind the file")
        return at + 4, count

    def _field(self, field: int) -> int:
        entry = 4 + 2 * field
        if entry >= self._size:
            return 0
        (offset,) = _unpack("<H", self._data, self._vtable + entry)
        return self._at + offset if offset else 0


def _unpack(kind: str, data: bytes, at: int) -> tuple[int, ...]:
    if at < 0:
        raise ValueError("an offset before the file")
    return struct.unpack_from(kind, data, at)


# --- ONNX: a protobuf -------------------------------------------------------------------------------

#: Field numbers of the messages within a message that are followed: message → {field: message}.
_WITHIN: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
#: Fields that must not be there at all.
_FORBIDDEN: Final[dict[tuple[str, int], str]] = {
    ("model", 20): "a training graph",
    ("model", 25): "functions of its own",
    ("tensor", 13): "weights in another file",
}
_NODE_NAME, _NODE_DOMAIN = 4, 7
_TENSOR_LOCATION = 14


def _check_onnx(data: bytes, source: str) -> None:
    seen = {number for number, _ in _fields(data)}
    if not {1, 7, 8} <= seen:  # ir_version, graph, opset_import
        raise ValueError("no graph with its operators' versions")
    _walk(data, "model", source, 0)


def _walk(data: bytes, message: str, source: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError(f"graphs nested more than {_MAX_DEPTH} deep")
    operator = b""
    for number, value in _fields(data):
        forbidden = _FORBIDDEN.get((message, number))
        if forbidden or (message == "tensor" and number == _TENSOR_LOCATION and value != 0):
            raise ModelError(
                f"{source}: has {forbidden or 'weights in another file'}, expected one graph with "
                "standard operators and its weights inside",
                hint="export it again with everything inlined",
            )
        if isinstance(value, int):
            continue
        if message == "node" and number == _NODE_NAME:
            operator = value
        if message == "node" and number == _NODE_DOMAIN and value not in _DOMAINS:
            raise ModelError(
                f"{source}: operator {operator.decode('utf-8', 'replace')!r} is of the domain "
                f"{value.decode('utf-8', 'replace')!r}, expected standard operators only",
                hint="export it again with operators of ai.onnx and ai.onnx.ml",
            )
        within = _WITHIN.get(message, {}).get(number)
        if within:
            _walk(value, within, source, depth + (within == "graph"))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, number or bytes) of one protobuf message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("a protobuf field without a number")
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        length, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}.get(kind, -1), at)
        if length < 0 or at + length > len(data):
            raise ValueError("a protobuf field ends behind its message")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a protobuf number of more than 64 bits")
