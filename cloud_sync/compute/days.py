"""Which days of which devices have to be computed again: pure, from the metadata of two tables.

A target remembers of each day the **version** of the source's day that its rows were made of, and the
**sequence** number that the source's table had then. A day whose version is the same is left alone, and
compaction, which changes files and no rows, does not change a version.

The version of a day of readings is the number of its rows: registering adds rows, and nothing else does
anything to them (retention takes whole days, and a day that is gone is left as it was computed). Where it is
another, the new rows are in files that came behind the sequence, and the devices of these files are the region.

The version of a day that was computed is that of the day it was made of, with the number of times that it was
computed again by force, if any. Such a day also remembers the region that was computed last and the version before it.
Who is made of it and has that version takes the same region; who is further behind takes the whole day. Where a day is
made of several (windows that reach back), their versions stand side by side.

So late readings of one device, which land in a file of their own, cost that device's part of that day. A day
with fewer rows than before (somebody has deleted some) is computed again as a whole; one that has lost all the rows
it was made of, too, where it was made of rows that were computed. An engine that changes values and not their number, or
takes fewer away than come meanwhile, is not seen: ``--since`` computes again whatever the versions say.

**Retention.** What it takes is not deleted for what was computed. The days that it takes are left as they are, also when
a late reading comes to one of them: with what is there now the rest of that day would be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final
from urllib.parse import quote, unquote

from headrace.errors import LakeError

DAY_US: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)
_PREFIX: Final = "headrace.compute.days."


@dataclass(frozen=True, slots=True)
class Area:
    """Days and devices, both inclusive; no last device is every device from the first on."""

    first_day: int
    last_day: int
    first_device: str = ""
    last_device: str | None = None

    def meets(self, other: Area) -> bool:
        """Whether a row can lie in both."""
        return (
            self.first_day <= other.last_day
            and other.first_day <= self.last_day
            and (self.last_device is None or other.first_device <= self.last_device)
            and (other.last_device is None or self.first_device <= other.last_device)
        )


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a table, and what it can hold."""

    uri: str
    bytes: int
    rows: int
    sequence: int
    area: Area


@dataclass(frozen=True, slots=True)
class Done:
    """A day as it was computed last: from which version to which, and which devices of it."""

    version: str
    sequence: int
    before: str = "0"
    first_device: str = ""
    last_device: str | None = None
    forced: int = 0

    @property
    def stamp(self) -> str:
        """The version that a day has for those that are made of it."""
        return f"{self.version}~{self.forced}" if self.forced else self.version


@dataclass(frozen=True, slots=True)
class Region:
    """What is to be computed: a day of some devices, and what is remembered of it then."""

    day: int
    area: Area
    done: Done


@dataclass(frozen=True, slots=True)
class Source:
    """The table that rows are made of, as it was at one time; ``computed`` where it was computed itself.

    ``kept_from``: the first day that retention does not take; None: it takes none.
    """

    files: Sequence[DataFile]
    versions: Mapping[int, str]
    sequence: int
    computed: Mapping[int, Done] | None = None
    kept_from: int | None = None

    def keeps(self, day: int) -> bool:
        """Whether a day's rows are all there, if nobody has deleted some."""
        return self.kept_from is None or day >= self.kept_from


def versions_by_rows(files: Iterable[DataFile]) -> dict[int, str]:
    """The versions of days of readings, whose files lie within a day each."""
    rows: dict[int, int] = {}
    for file in files:
        rows[file.area.first_day] = rows.get(file.area.first_day, 0) + file.rows
    return {day: str(count) for day, count in rows.items()}


def regions(
    source: Source, done: Mapping[int, Done], *, back_days: int = 0, since: int | None = None
) -> list[Region]:
    """What is to be computed, oldest day first.

    Args:
        source: the table that the rows are made of.
        done: the target's own days.
        back_days: how many days before it a day needs.
        since: compute this day and later ones anyway.
    """
    found = []
    for day in _there(source, done):
        version = _version(source, day, back_days)
        known = done.get(day)
        if known is None:
            found.append(_region(day, Done(version, source.sequence)))
        elif not source.keeps(day):
            continue
        elif since is not None and day >= since:
            again = Done(version, source.sequence, known.stamp, forced=known.forced + 1)
            found.append(_region(day, again))
        elif changed := _changed_days(source, day, known, version):
            first, last = _devices(source, known, changed)
            made = Done(version, source.sequence, known.stamp, first, last, known.forced)
            found.append(_region(day, made))
    return found


def settled(source: Source, done: Mapping[int, Done], *, back_days: int = 0) -> dict[int, Done]:
    """Days that are as they were made, in other files than then: what is to be remembered of them now.

    Else the next late reading would cost all devices of what compaction has rewritten.
    """
    newest: dict[int, int] = {}
    for file in source.files if source.computed is None else ():
        for day in _days(file.area):
            newest[day] = max(newest.get(day, 0), file.sequence)
    return {
        day: replace(done[day], sequence=source.sequence)
        for day in _there(source, done)
        if day in done
        and newest.get(day, 0) > done[day].sequence
        and done[day].version == _version(source, day, back_days)
    }


def _there(source: Source, done: Mapping[int, Done]) -> list[int]:
    """Days with rows; and those that were made of rows which another computation has taken back since."""
    days = {day for file in source.files for day in _days(file.area)}
    if source.computed is not None:
        days |= done.keys()
    return sorted(days & source.versions.keys())


def _region(day: int, made: Done) -> Region:
    return Region(day, Area(day, day, made.first_device, made.last_device), made)


def _version(source: Source, day: int, back_days: int) -> str:
    days = range(day - back_days, day + 1)
    return "+".join(source.versions.get(each, "0") for each in days)


@dataclass(frozen=True, slots=True)
class _Change:
    """A day that a day is made of, with another version than then."""

    day: int
    now: str
    then: str


def _changed_days(source: Source, day: int, known: Done, version: str) -> list[_Change]:
    now, then = version.split("+"), known.version.split("+")
    days = range(day - len(now) + 1, day + 1)
    return [
        _Change(each, one, other)
        for each, one, other in zip(days, now, then, strict=False)
        if one != other and source.keeps(each)
    ]


def _devices(source: Source, known: Done, changed: Iterable[_Change]) -> tuple[str, str | None]:
    """First and last device of what has changed."""
    areas: list[tuple[str, str | None]] = []
    for change in changed:
        if _rows(change.now) < _rows(change.then):
            return "", None  # somebody has deleted some
        areas += _areas(source, change, known.sequence)
    lasts = [last for _, last in areas if last is not None]
    if len(lasts) < len(areas) or not areas:
        return "", None
    return min(first for first, _ in areas), max(lasts)


def _areas(source: Source, change: _Change, sequence: int) -> list[tuple[str, str | None]]:
    if source.computed is not None:
        made = source.computed[change.day]
        is_next = made.before == change.then
        return [(made.first_device, made.last_device) if is_next else ("", None)]
    return [
        (file.area.first_device, file.area.last_device)
        for file in source.files
        if file.sequence > sequence and file.area.meets(Area(change.day, change.day))
    ]


def _rows(version: str) -> int:
    return int(version.partition("~")[0])


def _days(area: Area) -> range:
    return range(area.first_day, area.last_day + 1)


def day_of(text: str) -> int:
    """``2026-11-23`` as days since 1970."""
    return (date.fromisoformat(text) - _EPOCH).days


def name_of(day: int) -> str:
    """Days since 1970 as ``2026-11-23``."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def starts_us(day: int) -> int:
    """When a day begins."""
    return day * DAY_US


def read_done(properties: Mapping[str, str]) -> dict[int, Done]:
    """What a table remembers of its days.

    Raises:
        LakeError: somebody has written something else there.
    """
    found: dict[int, Done] = {}
    for key, text in properties.items():
        if not key.startswith(_PREFIX):
            continue
        try:
            for part in text.split():
                number, *fields = part.split(":")
                found[day_of(f"{key.removeprefix(_PREFIX)}-{number}")] = _read(*fields)
        except (ValueError, TypeError) as error:
            raise LakeError(
                f"table property {key}: expected day:version:sequence …, got {text[:80]!r}",
                hint="drop the table: the next run makes it again",
            ) from error
    return found


def write_done(done: Mapping[int, Done], changed: Mapping[int, Done]) -> dict[str, str]:
    """The properties of the months in which something changed."""
    everything = {**done, **changed}
    months = {name_of(day)[:7] for day in changed}
    parts: dict[str, list[str]] = {month: [] for month in months}
    for day in sorted(everything):
        month, number = name_of(day)[:7], name_of(day)[8:]
        if month in months:
            parts[month].append(f"{number}:{_written(everything[day])}")
    return {_PREFIX + month: " ".join(texts) for month, texts in parts.items()}


def _read(
    version: str,
    sequence: str,
    before: str = "0",
    first: str = "",
    last: str = "",
    forced: str = "0",
) -> Done:
    return Done(
        version, int(sequence), before, unquote(first), unquote(last) or None, int(forced)
    )  # fmt: skip


def _written(done: Done) -> str:
    text = f"{done.version}:{done.sequence}:{done.before}"
    if done.last_device is None and not done.forced:
        return text
    text += f":{quote(done.first_device, safe='')}:{quote(done.last_device or '', safe='')}"
    return f"{text}:{done.forced}" if done.forced else text
