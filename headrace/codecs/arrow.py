"""The ``arrow`` format: one Arrow IPC stream, optionally in one zstd frame.

Everything that a stranger may put into such a stream is checked before its columns are trusted: the
frame's declared size (a zstd frame of 8 MiB can hold 80 GiB), the stream's body compression (refused:
a second place for the same bomb); the rest is in ``arrow_columns``.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec
import pyarrow as pa
import zstandard

from headrace.codecs.arrow_columns import column, lost, trusted
from headrace.codecs.columns import TIME_TYPE, Decoded, checked, count_widened
from headrace.errors import PayloadError
from headrace.limits.wire import MAX_DECODED_BYTES
from headrace.wire import META_BOOT, META_CLOCK, META_SEQ, META_STREAM, META_UNITS

ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_CONTINUATION: Final = b"\xff\xff\xff\xff"
_RECORD_BATCH: Final = 3

_threads = threading.local()


def decode(payload: bytes, received_us: int) -> Decoded:
    """Decode an Arrow payload; ``received_us`` is not needed, times are absolute."""
    del received_us
    stream = _decompress(payload) if payload[:4] == ZSTD_MAGIC else payload
    _refuse_body_compression(stream)
    try:
        with pa.ipc.open_stream(stream) as reader:
            metadata = _metadata(reader.schema)
            table = trusted(reader.read_all())
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        raise PayloadError("broken_frame", f"not a valid Arrow stream: {error}") from error
    decoded = checked(
        column(table, "name", pa.utf8()),
        column(table, "time", TIME_TYPE),
        column(table, "value", pa.float64()),
        column(table, "text", pa.utf8()),
        stream=metadata.get(META_STREAM),
        first_seq=_seq(metadata),
        boot=metadata.get(META_BOOT, ""),
        clock=metadata.get(META_CLOCK, ""),
        units=_units(metadata),
    )
    inexact = lost(table)
    if inexact is None:
        return decoded
    return replace(decoded, widened=count_widened(decoded.rows.column(0), inexact))


def encode(
    rows: pa.RecordBatch, *, stream: str | None, first_seq: int, units: Mapping[str, str] | None = None,
    boot: str = "", clock: str = "",
) -> bytes:  # fmt: skip
    """One Arrow stream in one zstd frame, as the gateway journals what it makes itself.

    Args:
        rows: with ``BATCH_SCHEMA``.
    """
    plain = encode_plain(
        rows, stream=stream, first_seq=first_seq, units=units, boot=boot, clock=clock
    )
    return zstandard.ZstdCompressor(level=1).compress(plain)


def encode_plain(
    rows: pa.RecordBatch, *, stream: str | None, first_seq: int, units: Mapping[str, str] | None = None,
    boot: str = "", clock: str = "",
) -> bytes:  # fmt: skip
    """The same without the frame, for those who compress what they carry."""
    metadata = {META_BOOT: boot, META_CLOCK: clock}
    if stream is not None:
        metadata |= {META_STREAM: stream, META_SEQ: str(first_seq)}
    if units:
        metadata[META_UNITS] = msgspec.json.encode(dict(units)).decode()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema.with_metadata(metadata)) as writer:
        writer.write_batch(rows.replace_schema_metadata(metadata))
    plain: bytes = sink.getvalue().to_pybytes()
    return plain


def _decompress(payload: bytes) -> bytes:
    try:
        size = zstandard.frame_content_size(payload)
        if size > MAX_DECODED_BYTES:
            raise PayloadError(
                "bomb", f"a payload may unpack to {MAX_DECODED_BYTES} bytes, this one says {size}"
            )
        limit = MAX_DECODED_BYTES if size < 0 else max(size, 1)
        return _decompressor().decompress(payload, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise PayloadError("broken_frame", f"not one whole zstd frame: {error}") from error


def _decompressor() -> zstandard.ZstdDecompressor:
    """One per thread: making one costs as much as a batch, and they must not be shared."""
    found: zstandard.ZstdDecompressor | None = getattr(_threads, "decompressor", None)
    if found is None:
        found = _threads.decompressor = zstandard.ZstdDecompressor()
    return found


def _refuse_body_compression(stream: bytes) -> None:
    """Walk the messages of the stream and refuse record batches with compressed bodies.

    Reads three fields of the flatbuffer by hand (Message: header type, header, body length;
    RecordBatch: compression), because pyarrow only offers them after it has unpacked the body.
    """
    at = 0
    try:
        while at + 8 <= len(stream):
            if stream[at : at + 4] != _CONTINUATION:
                raise PayloadError("broken_frame", "no Arrow message where one should start")
            (length,) = struct.unpack_from("<i", stream, at + 4)
            if length == 0:
                return
            if not 8 <= length <= len(stream) - at - 8:
                raise PayloadError("broken_frame", "an Arrow message is cut off")
            root = at + 8 + struct.unpack_from("<I", stream, at + 8)[0]
            if _has_compressed_body(stream, root):
                raise PayloadError(
                    "bomb",
                    "compressed Arrow bodies are not accepted",
                    hint="compress the whole stream as one zstd frame instead",
                )
            body = _field(stream, root, 3)
            body_length = struct.unpack_from("<q", stream, body)[0] if body else 0
            if not 0 <= body_length <= len(stream):
                raise PayloadError("broken_frame", "an Arrow message body is cut off")
            at += 8 + length + body_length
    except struct.error as error:
        raise PayloadError("broken_frame", f"an Arrow message is cut off: {error}") from error


def _has_compressed_body(stream: bytes, root: int) -> bool:
    kind, header = _field(stream, root, 1), _field(stream, root, 2)
    if not kind or not header or stream[kind] != _RECORD_BATCH:
        return False
    record_batch = header + int(struct.unpack_from("<I", stream, header)[0])
    return _field(stream, record_batch, 3) != 0


def _field(stream: bytes, table: int, index: int) -> int:
    """Position of a field in a flatbuffer table; 0 where the field is absent."""
    vtable = table - struct.unpack_from("<i", stream, table)[0]
    if not 0 <= vtable <= len(stream) - 4:
        raise PayloadError("broken_frame", "an Arrow message points outside itself")
    (vtable_length,) = struct.unpack_from("<H", stream, vtable)
    slot = 4 + 2 * index
    if slot + 2 > vtable_length:
        return 0
    (offset,) = struct.unpack_from("<H", stream, vtable + slot)
    position = table + int(offset) if offset else 0
    if position >= len(stream):
        raise PayloadError("broken_frame", "an Arrow message points outside itself")
    return position


def _metadata(schema: pa.Schema) -> dict[str, str]:
    pairs = schema.metadata or {}
    return {key.decode(): value.decode() for key, value in pairs.items()}


def _seq(metadata: Mapping[str, str]) -> int:
    text = metadata.get(META_SEQ, "")
    if META_STREAM not in metadata:
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise PayloadError("bad_identity", f"{META_SEQ} must be a whole number, got {text[:40]!r}")
    return int(text)


def _units(metadata: Mapping[str, str]) -> dict[str, str]:
    try:
        return msgspec.json.decode(metadata.get(META_UNITS, "{}"), type=dict[str, str])
    except msgspec.MsgspecError as error:
        raise PayloadError(
            "bad_schema", f"{META_UNITS} must be a JSON object of strings: {error}"
        ) from error
