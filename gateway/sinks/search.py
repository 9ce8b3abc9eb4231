"""Finds the bad ones in something that was refused as a whole.

A destination answers to a span of items (lines, rows, events) with a ``Result``: what it refuses by
name, and which spans must be sent again because it took none of them or did not say which it took.
Sending again needs writes that are idempotent, which a sink's are. The search is bounded: when its
attempts are used up, what is still together is refused together; it goes to quarantine, so no reading
is lost by that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

#: Items ``first`` up to, not including, ``end``.
Span = tuple[int, int]
#: (first, end, why)
Refusal = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Result:
    """An answer to a span: what is neither refused nor to be sent again was accepted.

    ``why`` is the reason for the spans of ``again``, should there be no attempts left.
    """

    refused: Sequence[Refusal] = ()
    again: Sequence[Span] = ()
    why: str = ""


ACCEPTED: Final = Result()


def all_refused(first: int, end: int, why: str) -> Result:
    """The destination will take nothing of this span."""
    return Result(refused=[(first, end, why)])


def halves(first: int, end: int, why: str) -> Result:
    """Something in this span is refused, and nobody says what."""
    if end - first == 1:
        return all_refused(first, end, why)
    middle = (first + end) // 2
    return Result(again=[(first, middle), (middle, end)], why=why)


def deliver(span: Span, attempt: Callable[[int, int], Result], *, most: int) -> list[Refusal]:
    """Send a span, and again in parts while the answers ask for it; what is refused.

    Args:
        most: attempts that may be spent.
    """
    refused: list[Refusal] = []
    waiting = [span]
    attempts = 0
    while waiting:
        result = attempt(*waiting.pop())
        attempts += 1
        refused += result.refused
        if attempts > most:
            refused += [(first, end, result.why) for first, end in result.again]
        else:
            waiting += reversed(result.again)
    return refused
