"""A day in pieces that fit into memory: pure, from the number of readings of each series.

A piece is a range of devices, or of the names of one device that says a lot. Ranges join without a hole, so
that a series that is expected and said nothing is in exactly one of them as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

#: Behind every text.
LAST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Series with ``after < device <= up_to``, and names alike."""

    after_device: str = ""
    up_to_device: str = LAST
    after_name: str = ""
    up_to_name: str = LAST


def chunks(counts: Iterable[tuple[str, str, int]], limit: int) -> list[Chunk]:
    """Pieces of at most ``limit`` readings, unless one series has more.

    Args:
        counts: device, name and readings, in order of device and name.
    """
    found: list[Chunk] = []
    after, last, rows = "", "", 0
    for device, names in groupby(counts, key=lambda each: each[0]):
        series = [(name, count) for _, name, count in names]
        total = sum(count for _, count in series)
        if rows and rows + total > limit:
            found.append(Chunk(after, last))
            after, rows = last, 0
        if total > limit:
            found += _by_name(after, device, series, limit)
            after = device
        else:
            rows += total
        last = device
    return [*found, Chunk(after, LAST)]


def _by_name(after: str, device: str, series: list[tuple[str, int]], limit: int) -> Iterator[Chunk]:
    after_name, last, rows = "", "", 0
    for name, count in series:
        if rows and rows + count > limit:
            yield Chunk(after, device, after_name, last)
            after_name, rows = last, 0
        rows += count
        last = name
    yield Chunk(after, device, after_name, LAST)
