"""Sums of doubles that are the same in any order, so that engines agree to the last bit.

Addition of doubles rounds, and an engine adds in the order that its threads come in. Addition that never
rounds has no order. So each value is split into parts that lie on fixed grids: multiples of 2^30, of 1,
of 2^-30, 2^-60 and 2^-90, each part at most 2^29 steps of its grid. The sum of such parts of one grid is a
multiple of it, and below 2^53 steps every such number is a double: no addition of theirs rounds. In the
end the five sums are added in one order, from the largest grid to the smallest.

A value is put on a grid by adding and taking away 1.5 * 2^52 steps: the addition rounds to the nearest
step, and what it leaves is exact. No more than addition and subtraction of IEEE 754 is asked of an engine.

It holds for values up to 2^60 (1.2e18) whose last bit is not below 2^-90, that is for every double from
3.7e-12 to 1.2e18 and for zero, in groups of up to 2^22 (4 million) of them. Beyond, the sum is what any engine
makes of it: as accurate as ever, and perhaps not of the same last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any, Final

#: Exponents of the grids' steps, the largest first.
GRIDS: Final = (30, 0, -30, -60, -90)
_ROUNDER: Final = 1.5 * 2.0**52


def parts(value: Any) -> Iterator[Any]:
    """A value (a column, or a number) as parts of one grid each, and what is finer than all of them."""
    rest = value
    for exponent in GRIDS:
        rounder = _ROUNDER * 2.0**exponent
        part = (rest + rounder) - rounder
        yield part
        rest = rest - part
    yield rest


def part_columns(name: str) -> list[str]:
    """The names of the parts of a column."""
    return [f"{name}_part_{number}" for number in range(len(GRIDS) + 1)]


def split(rows: Any, name: str) -> Any:
    """A table with the parts of a column beside it.

    Step by step, each a column: written as one expression the remainders would double with each grid.
    """
    rest: Any = rows[name]
    for column, exponent in zip(part_columns(name), GRIDS, strict=False):
        rounder = _ROUNDER * 2.0**exponent
        rows = rows.mutate(**{column: (rest + rounder) - rounder, "rest": rest})
        rows = rows.mutate(rest=rows["rest"] - rows[column])
        rest = rows["rest"]
    return rows.rename({part_columns(name)[-1]: "rest"})


def sums(rows: Any, name: str) -> dict[str, Any]:
    """The aggregates that ``total`` needs."""
    return {column: rows[column].sum() for column in part_columns(name)}


def total(sums: Sequence[Any]) -> Any:
    """The sum, from the sums of the parts in their order."""
    return reduce(add, sums)
