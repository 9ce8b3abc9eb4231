"""The commit log beside an agent's buffer file: its format, and how it is read.

A device that commits once a second would write some 24 kB a second through SQLite (WAL frames, their
checkpoint, the deletion after the ack) for 1 kB of readings. So small commits go into ``<buffer>-log``
first: a preallocated file of 512-byte sectors, overwritten in place, one record a commit. What is
acknowledged while it is there never reaches the SQLite file; what is left when the log is full goes
there in one transaction (a *fold*), which also notes the number of the last record that it covers.

::

    sector 0     "HRLOG002", log id (16 hex digits)
    sector 1 …   records, each from the start of a sector:
                 "HRrc", CRC-32 of all that follows, length of the body, number (lsn), number of its
                 base or 0, next seq before and after it, body

The body is MessagePack in one zstd frame. A record compresses with an earlier one, its base, as
dictionary: names, units and boot id are there already, which makes 1.4 kB of a second's 100 readings
0.9 kB. The first record behind a fold has none and is the base, until one of twice its size comes. Counters in a record are totals, not changes: the last one is the truth.

What is read: every record with a number above the fold's whose CRC fits. The last record may be torn
(its commit never returned, so nobody has seen its numbers); a record that is missing before the
last was damaged on the card, and the readings that it held are counted as such. A log that does not
belong to the buffer, or is gone, makes the buffer damaged: numbers might be given out twice.

The agent writes it (``edge_agent/buffer/log.py``); ``buffer_stats`` reads it while the agent runs.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import zstandard

from headrace.errors import StorageCorrupt
from headrace.limits.agent import BUFFER_LOG_DICTIONARY_BYTES
from headrace.limits.wire import MAX_DECODED_BYTES

MAGIC: Final = b"HRLOG002"
SECTOR: Final = 512

_DROPPED: Final = "dropped:"
_RECORD_MAGIC: Final = b"HRrc"
_CRC: Final = struct.Struct("<4sI")
_HEAD: Final = struct.Struct("<IQQQQ")
_HEAD_BYTES: Final = _CRC.size + _HEAD.size

#: With a dictionary of near-equal content a higher level gains little and costs a Pi milliseconds.
_ZSTD_LEVEL: Final = 6


class LoggedBatch(msgspec.Struct, array_like=True, frozen=True):
    """A sealed batch; ``stream`` is its Arrow stream without the zstd frame."""

    first_seq: int
    rows: int
    sealed_at: int
    boot: str
    clock: str
    units: str
    has_text: bool
    stream: bytes

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.rows - 1


class Totals(msgspec.Struct, array_like=True, frozen=True):
    """Counts over the buffer's life. ``written_*``: what the agent's process wrote, in how long."""

    sampled: int = 0
    dropped: dict[str, int] = {}
    written_bytes: int = 0
    written_s: float = 0.0
    written_readings: int = 0


def from_counters(counters: Mapping[str, int]) -> Totals:
    """The totals that stand in the table ``counters``."""
    dropped = {
        name.removeprefix(_DROPPED): rows
        for name, rows in counters.items()
        if name.startswith(_DROPPED)
    }
    return Totals(
        sampled=counters.get("sampled", 0),
        dropped=dropped,
        written_bytes=counters.get("written:bytes", 0),
        written_s=counters.get("written:ms", 0) / 1000,
        written_readings=counters.get("written:readings", 0),
    )


def to_counters(totals: Totals) -> dict[str, int]:
    """The rows of the table ``counters``."""
    return {
        "sampled": totals.sampled,
        "written:bytes": totals.written_bytes,
        "written:ms": round(totals.written_s * 1000),
        "written:readings": totals.written_readings,
        **{_DROPPED + reason: rows for reason, rows in totals.dropped.items()},
    }


class Record(msgspec.Struct, array_like=True, frozen=True):
    """One commit. ``gone``: first seqs of batches that were acknowledged since the one before."""

    totals: Totals
    checkpoints: dict[str, str] = {}
    batches: list[LoggedBatch] = []
    gone: list[int] = []


@dataclass(frozen=True, slots=True)
class Base:
    """The record that others are compressed with; ``raw`` is its MessagePack."""

    lsn: int = 0
    raw: bytes = b""

    def after(self, lsn: int, raw: bytes) -> Base:
        """The base of the records behind that one: writer and readers follow one rule."""
        larger = len(raw) >= 2 * len(self.raw)
        return Base(lsn, raw[:BUFFER_LOG_DICTIONARY_BYTES]) if larger else self


@dataclass(frozen=True, slots=True)
class Framed:
    """A record as it stands in the file."""

    lsn: int
    base_lsn: int
    before_seq: int
    next_seq: int
    body: bytes
    end: int  # offset behind it


@dataclass(slots=True)
class Tail:
    """What the log adds to the SQLite file."""

    lsn: int
    next_seq: int
    totals: Totals
    end: int = SECTOR
    base: Base = Base()
    batches: dict[int, LoggedBatch] = field(default_factory=dict)
    checkpoints: dict[str, str] = field(default_factory=dict)
    damaged: int = 0  # readings of records that cannot be read


def header(log_id: str) -> bytes:
    """Sector 0."""
    return (MAGIC + log_id.encode()).ljust(SECTOR, b"\0")


def frame(raw: bytes, *, lsn: int, before_seq: int, next_seq: int, base: Base) -> bytes:
    """A record's MessagePack as it goes into the file, not padded."""
    body = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, dict_data=_dictionary(base)).compress(raw)
    rest = _HEAD.pack(len(body), lsn, base.lsn, before_seq, next_seq) + body
    return _CRC.pack(_RECORD_MAGIC, zlib.crc32(rest)) + rest


def unpack(body: bytes, base: Base) -> bytes:
    """The MessagePack of a record's body."""
    decompressor = zstandard.ZstdDecompressor(dict_data=_dictionary(base))
    try:
        return decompressor.decompress(body, max_output_size=MAX_DECODED_BYTES)
    except zstandard.ZstdError as error:
        raise StorageCorrupt(f"a record of the buffer's log: {error}") from error


def _dictionary(base: Base) -> zstandard.ZstdCompressionDict | None:
    if not base.raw:
        return None
    return zstandard.ZstdCompressionDict(base.raw, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def records(content: bytes, after: int) -> list[Framed]:
    """Whole records with a number above ``after``, in order."""
    found = (_framed(content, at) for at in range(SECTOR, len(content), SECTOR))
    newer = [framed for framed in found if framed is not None and framed.lsn > after]
    return sorted(newer, key=lambda framed: framed.lsn)


def _framed(content: bytes, at: int) -> Framed | None:
    if content[at : at + 4] != _RECORD_MAGIC or len(content) < at + _HEAD_BYTES:
        return None
    (_, crc) = _CRC.unpack_from(content, at)
    length, lsn, base, before, following = _HEAD.unpack_from(content, at + _CRC.size)
    end = at + _HEAD_BYTES + length
    if zlib.crc32(content[at + _CRC.size : end]) != crc or end > len(content):
        return None
    return Framed(lsn, base, before, following, content[at + _HEAD_BYTES : end], end)


def read_tail(path: Path, log_id: str, *, lsn: int, next_seq: int, totals: Totals) -> Tail:
    """What the log of that id says behind the fold of record ``lsn``.

    Raises:
        StorageCorrupt: there is no such log.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    if not content.startswith(MAGIC + log_id.encode()):
        raise StorageCorrupt(
            f"buffer log {path}: expected log {log_id}, got {content[:24]!r}",
            hint="buffer and log belong together: copy or restore both",
        )
    tail = Tail(lsn, next_seq, totals)
    for framed in records(content, lsn):
        _apply(tail, framed)
    _count_damage(tail)
    return tail


def _apply(tail: Tail, framed: Framed) -> None:
    """Take one record; numbers between it and the one before are those of damaged records."""
    tail.damaged += framed.before_seq - tail.next_seq
    tail.lsn, tail.next_seq, tail.end = framed.lsn, framed.next_seq, framed.end
    if framed.base_lsn != tail.base.lsn:  # its base is damaged
        tail.damaged += framed.next_seq - framed.before_seq
        return
    raw = unpack(framed.body, tail.base)
    tail.base = tail.base.after(framed.lsn, raw)
    record = msgspec.msgpack.decode(raw, type=Record)
    tail.totals = record.totals
    tail.checkpoints.update(record.checkpoints)
    tail.batches.update((batch.first_seq, batch) for batch in record.batches)
    for first_seq in record.gone:
        tail.batches.pop(first_seq, None)


def _count_damage(tail: Tail) -> None:
    """Count what damaged records held; never more than would count as acknowledged without it."""
    buffered = sum(batch.rows for batch in tail.batches.values())
    dropped = dict(tail.totals.dropped)
    lost = min(tail.damaged, tail.totals.sampled - sum(dropped.values()) - buffered)
    if lost > 0:
        dropped["damaged"] = dropped.get("damaged", 0) + lost
        tail.totals = msgspec.structs.replace(tail.totals, dropped=dropped)
