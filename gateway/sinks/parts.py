"""Batches in parts that a destination takes in one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from gateway.consumer import Rejected
from gateway.feed import Entry


@dataclass(frozen=True, slots=True)
class Part:
    """Rows ``start``, ``start + 1``, … of a batch, and the message that holds them."""

    entry: Entry
    start: int
    rows: pa.RecordBatch
    payload: bytes = b""

    @property
    def first_seq(self) -> int:
        """With the device and the stream, the name of the part for life."""
        return self.entry.first_seq + self.start

    @property
    def last_seq(self) -> int:
        return self.first_seq + int(self.rows.num_rows) - 1

    @property
    def places(self) -> range:
        """Its rows in the batch."""
        return range(self.start, self.start + self.rows.num_rows)

    def halves(self) -> tuple[Part, Part]:
        """The same in two, not encoded."""
        middle, end = self.rows.num_rows // 2, self.rows.num_rows
        first, second = (
            Part(self.entry, self.start + begin, self.rows.slice(begin, stop - begin))
            for begin, stop in pairwise((0, middle, end))
        )
        return first, second


@dataclass(frozen=True, slots=True)
class Refusal:
    """A part that will never be taken."""

    part: Part
    reason: str
    detail: str


def rejections(refusals: Sequence[Refusal]) -> list[Rejected]:
    """One rejection for each batch and reason, with the rows of all its parts."""
    found: dict[tuple[int, str], list[Refusal]] = {}
    for refusal in refusals:
        found.setdefault((id(refusal.part.entry), refusal.reason), []).append(refusal)
    rejected = []
    for same in found.values():
        entry = same[0].part.entry
        at = [row for refusal in same for row in refusal.part.places]
        rows = entry.rows.take(pa.array(at, pa.int64()))
        rejected.append(Rejected(entry, same[0].reason, same[0].detail[:500], rows))
    return rejected


#: Gives the message for the rows of a part.
Encoder = Callable[[Part], bytes]


def in_parts(
    entries: Sequence[Entry], encode: Encoder, max_bytes: int
) -> tuple[list[Part], list[Refusal]]:
    """Every batch as messages of at most ``max_bytes``, in order; what no message can hold is refused.

    A batch of no rows (a damaged one keeps its place in the journal) gives no message.
    """
    whole = [Part(entry, 0, entry.rows) for entry in entries if entry.rows.num_rows]
    return encoded(whole, encode, max_bytes)


def encoded(
    parts: Sequence[Part], encode: Encoder, max_bytes: int
) -> tuple[list[Part], list[Refusal]]:
    """The same for parts: those that are too large are halved until they fit."""
    done: list[Part] = []
    refused: list[Refusal] = []
    waiting = list(reversed(parts))
    while waiting:
        part = waiting.pop()
        payload = encode(part)
        if len(payload) <= max_bytes:
            done.append(Part(part.entry, part.start, part.rows, payload))
        elif part.rows.num_rows == 1:
            detail = f"one reading takes {len(payload)} bytes, a message holds {max_bytes}"
            refused.append(Refusal(part, "too_large", detail))
        else:
            waiting += reversed(part.halves())
    return done, refused
