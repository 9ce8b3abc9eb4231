"""Finds the bad ones in something that was refused as a whole.

A destination answers to some items (lines, rows, events) with a ``Result``: which it refuses by name,
and which must be sent again because it took none of them or did not say which it took. Sending again
needs writes that are idempotent, which a sink's are. The search is bounded: when its attempts are used
up, what is still together is refused together; it goes to quarantine, so no reading is lost by that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Places of items, in order.
Items = NDArray[np.int64]
#: Items, and what the destination says of them.
Refusal = tuple[Items, str]


@dataclass(frozen=True, slots=True)
class Result:
    """An answer to some items: what is neither refused nor to be sent again was accepted.

    ``why`` is the reason for those of ``again``, should there be no attempts left.
    """

    refused: Sequence[Refusal] = ()
    again: Sequence[Items] = ()
    why: str = ""


ACCEPTED: Final = Result()


def all_refused(items: Items, why: str) -> Result:
    """The destination will take none of them."""
    return Result(refused=[(items, why)])


def halves(items: Items, why: str) -> Result:
    """Something in there is refused, and nobody says what."""
    if len(items) == 1:
        return all_refused(items, why)
    middle = len(items) // 2
    return Result(again=[items[:middle], items[middle:]], why=why)


def deliver(items: Items, attempt: Callable[[Items], Result], *, most: int) -> list[Refusal]:
    """Send items, and again in parts while the answers ask for it; what is refused.

    Args:
        most: attempts that may be spent.
    """
    refused: list[Refusal] = []
    waiting = [items]
    attempts = 0
    while waiting:
        result = attempt(waiting.pop())
        attempts += 1
        refused += result.refused
        if attempts > most:
            refused += [(part, result.why) for part in result.again]
        else:
            waiting += [part for part in reversed(result.again) if len(part)]
    return refused
