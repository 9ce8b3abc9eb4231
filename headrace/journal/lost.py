"""Batches that the journal could not give to the lake, while their devices still have them.

Where acks wait for the lake, a damaged row is not lost: its device was not told yet. cloud_sync writes down what a
landing had to do without (consumer state of "lake", a key per offset); the gateway does not tell those
devices, forgets that it has seen the readings, and takes them again. Without the cursor "acks" nobody
waits, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from headrace.journal.rows import JournalRow

_PREFIX: Final = "lost/"


class Lost(msgspec.Struct, frozen=True):
    """One such row."""

    offset: int
    device: str
    stream: str
    first: int
    last: int

    @property
    def key(self) -> str:
        return f"{_PREFIX}{self.offset:020d}"


def of(rows: Iterable[JournalRow]) -> tuple[Lost, ...]:
    """The damaged ones among rows, as far as it is known whose they were."""
    return tuple(
        Lost(row.offset, row.device, row.stream, row.first_seq, row.last_seq)
        for row in rows
        if row.damage and row.device
    )


def encode(lost: Lost) -> bytes:
    """As it stands in the journal."""
    return msgspec.json.encode(lost)


def decode_all(state: Mapping[str, bytes]) -> list[Lost]:
    """From the consumer's state, in order of offsets."""
    return [
        msgspec.json.decode(state[key], type=Lost)
        for key in sorted(state)
        if key.startswith(_PREFIX)
    ]
