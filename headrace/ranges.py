"""Sets of sequence numbers, held as ranges.

A device numbers its readings 1, 2, 3, … inside a stream, and almost all of them arrive in order, so
what a gateway has seen of a stream is one range and perhaps a few holes. ``RangeSet`` keeps sorted,
disjoint, non-adjacent, inclusive ranges; every operation costs O(log n) to find its place plus the
ranges that it touches.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]


class RangeSet:
    """A set of integers as inclusive ranges ``(first, last)``."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        """Add all of ``first..last``; joins ranges that overlap or touch.

        Raises:
            ValueError: ``last`` is before ``first``.
        """
        _check(first, last)
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def remove(self, first: int, last: int) -> None:
        """Take all of ``first..last`` out."""
        _check(first, last)
        low = bisect_left(self._lasts, first)
        high = bisect_right(self._firsts, last)
        rest = [
            (start, end)
            for start, end in (
                (self._firsts[low], first - 1) if low < high else (1, 0),
                (last + 1, self._lasts[high - 1]) if low < high else (1, 0),
            )
            if start <= end
        ]
        self._firsts[low:high] = [start for start, _ in rest]
        self._lasts[low:high] = [end for _, end in rest]

    def missing(self, first: int, last: int) -> list[Range]:
        """The parts of ``first..last`` that are not in the set, in order."""
        _check(first, last)
        parts: list[Range] = []
        at = first
        for index in range(bisect_left(self._lasts, first), bisect_right(self._firsts, last)):
            if at < self._firsts[index]:
                parts.append((at, self._firsts[index] - 1))
            at = self._lasts[index] + 1
        if at <= last:
            parts.append((at, last))
        return parts

    def common(self, first: int, last: int) -> list[Range]:
        """The parts of ``first..last`` that are in the set, in order."""
        _check(first, last)
        touched = range(bisect_left(self._lasts, first), bisect_right(self._firsts, last))
        return [(max(first, self._firsts[at]), min(last, self._lasts[at])) for at in touched]

    def holes(self) -> list[Range]:
        """What lies between the ranges: numbers that should be there and are not."""
        return [
            (last + 1, first - 1)
            for last, first in zip(self._lasts[:-1], self._firsts[1:], strict=True)
        ]

    def holes_from(self, start: int) -> list[Range]:
        """Like ``holes``, and what is missing from ``start`` up to the first range."""
        if not self._firsts or self._firsts[0] <= start:
            return self.holes()
        return [(start, self._firsts[0] - 1), *self.holes()]

    def pairs(self) -> list[Range]:
        """All ranges in order."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def copy(self) -> RangeSet:
        """An independent copy."""
        twin = RangeSet()
        twin._firsts = self._firsts.copy()
        twin._lasts = self._lasts.copy()
        return twin

    @property
    def last(self) -> int:
        """The highest number in the set; 0 when it is empty."""
        return self._lasts[-1] if self._lasts else 0

    @property
    def count(self) -> int:
        """How many numbers are in the set."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def __contains__(self, number: int) -> bool:
        index = bisect_left(self._lasts, number)
        return index < len(self._firsts) and self._firsts[index] <= number

    def __iter__(self) -> Iterator[Range]:
        return iter(self.pairs())

    def __len__(self) -> int:
        """How many ranges (not numbers: see ``count``)."""
        return len(self._firsts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return self._firsts == other._firsts and self._lasts == other._lasts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RangeSet({self.pairs()!r})"


def _check(first: int, last: int) -> None:
    if last < first:
        raise ValueError(f"a range must not end before it starts: got {first}..{last}")
