"""What a damaged journal costs: one row, or one page of rows, and never the rows behind them.

Flash wears out and cables are bad, so a journal file may hold pages that are not what was written.
Three kinds are told apart by what they cost:

======================  ==================================================================
what is damaged         what a reader gets in the place of the readings
======================  ==================================================================
a payload               a row without payload: device, stream and seqs are known
a payload's page chain  the same: what stands before the payload is on a page of its own
a page of rows          one row for all of them: only the range of offsets is known
======================  ==================================================================

Every reader meets damage in the order of offsets, as a row whose ``damage`` says what is wrong, and
goes on behind it. So a cursor moves past damage like past anything, once, and the loss has a name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

#: Offsets behind a damaged page that are tried one by one; beyond it in growing steps. A page holds
#: a hundred rows at most, an inner page some hundred pages.
_ONE_BY_ONE: Final = 1_000

#: The kind of each column in front of the payload, as SQLite must give it back.
_HEADER: Final = (int, int, str, str, int, int, int, str)


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a damaged row; ``first`` is the first offset that it stands for."""

    first: int
    offset: int
    columns: tuple[Any, ...] | None


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error means that what was read is not what was written."""
    code = getattr(error, "sqlite_errorname", None) or ""
    return code.startswith("SQLITE_CORRUPT") or "Could not decode to UTF-8" in str(error)


def is_sound(columns: tuple[Any, ...]) -> bool:
    """Whether the columns in front of a payload have the types that the gateway writes."""
    return tuple(map(type, columns)) == _HEADER


def find(db: sqlite3.Connection, after: int, last: int) -> Header:
    """What can be said of the first row behind ``after``, which cannot be read as a whole.

    Args:
        db: the journal.
        after: the offset before it.
        last: the newest offset that the reader asked for.
    """
    try:
        row = db.execute(
            "SELECT offset, received_at, device, stream, first_seq, last_seq, rows, format "
            "FROM batches WHERE offset > ? ORDER BY offset LIMIT 1",
            (after,),
        ).fetchone()
        if row is not None and is_sound(row):
            return Header(row[0], row[0], row)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
    end = min(last, next_readable(db, after, last))
    return Header(after + 1, max(end, after + 1), None)


def next_readable(db: sqlite3.Connection, after: int, last: int) -> int:
    """The smallest offset from which on rows can be looked up again; ``last`` when there is none.

    Looking up costs some 10 µs a try, so a page is crossed in a millisecond.
    """
    return _first(lambda offset: _can_seek(db, offset), after + 1, last)


def _can_seek(db: sqlite3.Connection, offset: int) -> bool:
    try:
        db.execute(
            "SELECT rows FROM batches WHERE offset > ? ORDER BY offset LIMIT 1", (offset,)
        ).fetchone()
    except sqlite3.Error as error:
        if is_damage(error):
            return False
        raise
    return True


def _first(holds: Callable[[int], bool], start: int, last: int) -> int:
    """The first number up to ``last`` that ``holds``: one by one, then in growing steps and back."""
    failed, step = start - 1, 1
    while failed + step < last:
        if holds(failed + step):
            break
        failed += step
        if failed - start >= _ONE_BY_ONE:
            step *= 2
    low, high = failed + 1, min(failed + step, last)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return high
