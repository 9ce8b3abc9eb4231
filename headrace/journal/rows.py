"""One row as readers see it: whole, or with a name for what is damaged."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from headrace import damage

#: The quarantine's reason of what was damaged in the journal itself.
DAMAGED: Final = "damaged"


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One batch of the journal; ``payload`` as received, in ``format``.

    Where ``damage`` says what is wrong there is no payload, and the row stands for all offsets since
    the row before. ``device`` is empty where not even that can be read.
    """

    offset: int
    received_at: int
    device: str
    stream: str
    first_seq: int
    last_seq: int
    rows: int
    format: str
    payload: bytes
    damage: str = ""


def checksum(payload: bytes) -> int:
    """CRC-32 of a payload."""
    return zlib.crc32(payload)


def describe_damage(row: JournalRow) -> str:
    """What is damaged and what is lost with it, as a sentence."""
    if not row.device:
        return row.damage
    return (
        f"{row.damage}; lost: {row.device} stream {row.stream} seq {row.first_seq}-{row.last_seq}"
    )


def from_header(header: Sequence[Any], payload: bytes, damaged: str = "") -> JournalRow:
    """A row of columns that were read already."""
    offset, received_at, device, stream, first_seq, last_seq, rows, format_name = header
    return JournalRow(
        offset, received_at, device, stream, first_seq, last_seq, rows, format_name, payload, damaged
    )  # fmt: skip


def checked(row: tuple[Any, ...]) -> JournalRow:
    """A row of all its columns, ``crc`` behind ``payload``; damaged where they do not hold together."""
    *header, payload, crc = row
    if not damage.is_sound(tuple(header)):
        what = f"the row at offset {row[0]} is not what a gateway writes"
        return JournalRow(int(row[0]), 0, "", "", 0, 0, 0, "", b"", what)
    if not isinstance(payload, bytes) or checksum(payload) != crc:
        return from_header(header, b"", "the payload does not match its checksum")
    return from_header(header, payload)
