"""Columns to rows of COPY's binary format, with Arrow and numpy kernels and no loop over readings.

A row is its number of fields, and per field a length (int32, -1 for null) and that many bytes, all big
endian. Fields are put in an order in which what is constant stands together::

    [10 fields, site, device, stream, received]  once a batch
    [name, unit]                                 once a series
    [time, seq, value, text]                     per reading; 40 bytes where it is a number

Binary, because the server then parses no number and no time, and a text needs no escape.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gateway.feed import Entry
from gateway.sinks.columns import Columns, Mask
from gateway.sinks.search import Items

COLUMNS: Final = "site, device, stream, received, name, unit, time, seq, value, text"
HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
TRAILER: Final = struct.pack("!h", -1)

#: PostgreSQL counts microseconds from 2000-01-01.
_EPOCH_US: Final = 946_684_800_000_000
_BYTES: Final = pa.large_binary()
_NULL: Final = struct.pack("!i", -1)
_STAMP: Final = np.dtype([("a", ">i4"), ("time", ">i8"), ("b", ">i4"), ("seq", ">i8")])
_NUMBER: Final = np.dtype([("a", ">i4"), ("value", ">f8")])


def storable(columns: Columns) -> Mask:
    """Which readings PostgreSQL can hold: those without a NUL character in name, unit or text."""
    good = np.array(["\0" not in name + unit for name, unit in columns.labels], np.bool_)
    mask: Mask = good[columns.series]
    if columns.text.null_count < len(columns):
        nul = pc.fill_null(pc.match_substring(columns.text, "\0"), False)
        mask &= ~nul.to_numpy(zero_copy_only=False)
    return mask


def encode(columns: Columns, site: str) -> pa.Array:
    """One binary string a reading."""
    heads = pa.array([_head(entry, site) for entry in columns.entries], _BYTES)
    series = pa.array([_text(name) + _text(unit or None) for name, unit in columns.labels], _BYTES)
    return pc.binary_join_element_wise(
        heads.take(pa.array(columns.batch)),
        series.take(pa.array(columns.series)),
        _stamps(columns),
        _values(columns.value),
        _texts(columns.text),
        pa.scalar(b"", _BYTES),
    )


def body(rows: pa.Array, items: Items) -> memoryview:
    """Some rows side by side, as COPY wants them."""
    part = rows if len(items) == len(rows) else rows.take(pa.array(items))
    _, offsets, data = part.buffers()
    bounds = np.frombuffer(offsets, np.int64)[part.offset : part.offset + len(part) + 1]
    return memoryview(data)[int(bounds[0]) : int(bounds[-1])]


def _head(entry: Entry, site: str) -> bytes:
    received = struct.pack("!iq", 8, entry.received_at - _EPOCH_US)
    return struct.pack("!h", 10) + _text(site) + _text(entry.device) + _text(entry.stream) + received  # fmt: skip


def _text(text: str | None) -> bytes:
    if text is None:
        return _NULL
    encoded = text.encode()
    return struct.pack("!i", len(encoded)) + encoded


def _stamps(columns: Columns) -> pa.Array:
    packed = np.empty(len(columns), _STAMP)
    packed["a"] = packed["b"] = 8
    packed["time"] = columns.time - _EPOCH_US
    packed["seq"] = columns.seq
    return _fixed(packed)


def _values(value: pa.Array) -> pa.Array:
    packed = np.empty(len(value), _NUMBER)
    packed["a"] = 8
    packed["value"] = value.to_numpy(zero_copy_only=False)
    if value.null_count == 0:
        return _fixed(packed)
    return pc.if_else(value.is_valid(), _fixed(packed), pa.scalar(_NULL, _BYTES))


def _texts(text: pa.Array) -> pa.Array | pa.Scalar:
    if text.null_count == len(text):
        return pa.scalar(_NULL, _BYTES)
    lengths = pc.fill_null(pc.binary_length(text), 0).to_numpy(zero_copy_only=False)
    encoded = pc.binary_join_element_wise(
        _fixed(lengths.astype(">i4")), text.cast(pa.binary()).cast(_BYTES), pa.scalar(b"", _BYTES)
    )
    return pc.coalesce(encoded, pa.scalar(_NULL, _BYTES))


def _fixed(packed: NDArray[np.void]) -> pa.Array:
    """An array of structs as an array of their bytes."""
    kind = pa.binary(packed.dtype.itemsize)
    return pa.FixedSizeBinaryArray.from_buffers(
        kind, len(packed), [None, pa.py_buffer(packed)]
    ).cast(_BYTES)
