"""Whether all of a journal is what was written; safe while the gateway runs.

Three looks, from the file up. SQLite checks its own pages. Each row is read as any reader would, its
checksum compared, its payload decoded and compared with the row's own words. At the end the rows are
held against the range sets: what is in a row must have been seen, and seen once. Rows first, range
sets after them: a journal that is written to meanwhile only ever knows more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from headrace import codecs
from headrace.errors import PayloadError
from headrace.journal import JournalReader, JournalRow, describe_damage
from headrace.ranges import RangeSet

_ROWS: Final = 200_000
_BYTES: Final = 16 * 1024 * 1024

#: Faults that are kept; beyond it they are counted only.
_MAX_FAULTS: Final = 1_000

_RESTORE: Final = (
    "readers pass over it; when all consumers are past it (`gateway journal stat`), stop the "
    "gateway and move the file away, and a new one is made. Check the disk: it has lost data"
)


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong; ``offset`` is 0 where it is about the file as a whole."""

    what: str
    offset: int = 0
    lost: str = ""
    todo: str = ""


@dataclass(slots=True)
class Report:
    """What was looked at, and what is wrong."""

    batches: int = 0
    readings: int = 0
    damaged: int = 0
    faults: list[Fault] = field(default_factory=list)
    more: int = 0

    @property
    def ok(self) -> bool:
        return not self.faults

    def add(self, fault: Fault) -> None:
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(fault)
        else:
            self.more += 1


Key = tuple[str, str]


def verify(path: Path, progress: Callable[[int, int], None] | None = None) -> Report:
    """Check a journal file.

    Args:
        path: the file.
        progress: is told the offset that was reached, and the last one.

    Raises:
        UsageError: there is no journal.
        StorageError: it cannot be read at all.
    """
    report = Report()
    held: dict[Key, RangeSet] = {}
    with JournalReader(path) as reader:
        for text in reader.integrity():
            report.add(Fault(f"SQLite: {text}", todo=_RESTORE))
        cursor, head = 0, reader.head()
        while rows := reader.read(cursor, up_to=head, max_rows=_ROWS, max_bytes=_BYTES):
            reader.remember_damage(rows)
            for row in rows:
                _check_row(row, held, report)
            cursor = rows[-1].offset
            if progress is not None:
                progress(cursor, head)
        for fault in _range_faults(reader, held, with_losses=report.damaged > 0):
            report.add(fault)
    return report


def _check_row(row: JournalRow, held: dict[Key, RangeSet], report: Report) -> None:
    report.batches += 1
    if row.damage:
        report.damaged += 1
        lost = describe_damage(row).partition("; lost: ")[2] or "not known: see below"
        report.add(Fault(row.damage, row.offset, lost, _RESTORE))
        return
    report.readings += row.rows
    for problem in _row_problems(row):
        report.add(Fault(problem, row.offset, todo="report this: it is a fault of a gateway"))
    ranges = held.setdefault((row.device, row.stream), RangeSet())
    if row.last_seq >= row.first_seq >= 1:
        if ranges.missing(row.first_seq, row.last_seq) != [(row.first_seq, row.last_seq)]:
            report.add(
                Fault(
                    f"{row.device} stream {row.stream} seq {row.first_seq}-{row.last_seq} "
                    "is in the journal twice",
                    row.offset,
                    todo="report this: it is a fault of a gateway",
                )
            )
        ranges.add(row.first_seq, row.last_seq)


def _row_problems(row: JournalRow) -> Iterator[str]:
    if row.last_seq - row.first_seq + 1 != row.rows or row.first_seq < 1:
        yield f"seq {row.first_seq}-{row.last_seq} are not {row.rows} readings"
    try:
        decoded = codecs.decode(row.format, row.payload, row.received_at)
    except PayloadError as error:
        yield f"the payload does not decode as {row.format}: {error.message}"
        return
    if decoded.rows.num_rows != row.rows:
        yield f"the payload holds {decoded.rows.num_rows} readings, the row says {row.rows}"
    said = (decoded.stream, decoded.first_seq)
    if decoded.stream is not None and said != (row.stream, row.first_seq):
        yield f"the payload begins with {said}, the row says {(row.stream, row.first_seq)}"


def _range_faults(
    reader: JournalReader, held: dict[Key, RangeSet], *, with_losses: bool
) -> Iterator[Fault]:
    seen: dict[Key, RangeSet] = {}
    for device, stream, first, last in reader.ranges():
        seen.setdefault((device, stream), RangeSet()).add(first, last)
    for key, ranges in held.items():
        known = seen.get(key, RangeSet())
        for first, last in ranges:
            for a, b in known.missing(first, last):
                yield Fault(
                    f"{key[0]} stream {key[1]} seq {a}-{b} is in the journal and not among what "
                    "has been seen",
                    todo="a resend of it would be stored twice; report this",
                )
        if with_losses:
            yield from _losses(key, ranges, known)


def _losses(key: Key, held: RangeSet, seen: RangeSet) -> Iterator[Fault]:
    """What was seen and stands between rows that are here: it was on the damaged pages.

    What is below the first row was pruned, or stood there too: nobody can tell.
    """
    for first, last in held.holes():
        for a, b in _common(seen, first, last):
            yield Fault(
                f"{key[0]} stream {key[1]} seq {a}-{b} was acknowledged and is in no row that can be read",
                lost=f"{key[0]} stream {key[1]} seq {a}-{b}, unless the lake has it",
            )


def _common(ranges: RangeSet, first: int, last: int) -> Iterator[tuple[int, int]]:
    for a, b in ranges:
        if a <= last and b >= first:
            yield max(a, first), min(b, last)


def lines(report: Report) -> list[str]:
    """For people."""
    shown = []
    for fault in report.faults:
        where = f"offset {fault.offset}: " if fault.offset else ""
        shown.append(f"{where}{fault.what}")
        shown += [f"    lost: {fault.lost}"] if fault.lost else []
    if report.more:
        shown.append(f"… and {report.more} faults more")
    # What to do is the same for most faults: said once.
    shown += [
        f"to do: {todo}" for todo in dict.fromkeys(each.todo for each in report.faults) if todo
    ]
    verdict = "OK" if report.ok else "DAMAGED" if report.damaged else "FAULTS"
    shown.append(f"{verdict}: {report.batches} batches, {report.readings} readings")
    return shown
