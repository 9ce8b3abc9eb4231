"""Columns of CSV cells to times and runs, without a loop over cells where all of them are sound.

The usual file is sound, and ``map(float, cells)`` runs at C speed; only a chunk with a cell that
is empty or unreadable is looked at cell by cell. An empty cell is no reading. A cell that is neither
empty nor a number is counted as unreadable; a row without a readable time is counted whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from edge_agent.inputs.values import MAX_EXACT, is_widened
from edge_agent.readings import Run

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCALES = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}

#: Spellings of "no reading" in recorded data.
_NOTHING = frozenset(("", "nan", "na", "null", "none"))


def time_parser(time_format: str, timezone: str) -> Callable[[str], int]:
    """A function from a cell to microseconds since 1970 UTC; it raises ValueError."""
    if time_format in _SCALES:
        scale = _SCALES[time_format]
        return lambda cell: round(float(cell) * scale)
    zone = ZoneInfo(timezone)

    def parse(cell: str) -> int:
        if time_format == "iso":
            moment = datetime.fromisoformat(cell)
        else:
            moment = datetime.strptime(cell, time_format)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        since = moment - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

    return parse


def parse_times(cells: Sequence[str], parse: Callable[[str], int]) -> list[int | None]:
    """The times of all rows; None where a cell cannot be read."""
    try:
        return list(map(parse, cells))
    except (ValueError, OverflowError):
        return [_or_none(parse, cell) for cell in cells]


def _or_none(parse: Callable[[str], int], cell: str) -> int | None:
    try:
        return parse(cell.strip())
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Numbers:
    """A run of numbers, how many cells were unreadable, and how many became the nearest float64."""

    run: Run
    unreadable: int = 0
    widened: int = 0


def number_run(name: str, unit: str, times: array[int], cells: Sequence[str]) -> Numbers:
    """The cells of a column as numbers."""
    try:
        values = array("d", map(float, cells))
    except ValueError:
        return _number_run_by_cell(name, unit, times, cells)
    # float() takes "nan"; a NaN is no reading.
    if any(map(float.__ne__, values, values)):
        return _number_run_by_cell(name, unit, times, cells)
    return Numbers(Run(name, times, values, unit), widened=_widened(cells, values))


def _widened(cells: Sequence[str], values: array[float]) -> int:
    """The usual column has no number of that size: two looks at C speed."""
    if not values or (max(values) < MAX_EXACT and min(values) > -MAX_EXACT):
        return 0
    return sum(map(is_widened, cells, values))


def _number_run_by_cell(name: str, unit: str, times: array[int], cells: Sequence[str]) -> Numbers:
    kept_times: array[int] = array("q")
    kept: list[str] = []
    values = array("d")
    unreadable = 0
    for time, cell in zip(times, cells, strict=True):
        text = cell.strip()
        if text.lower() in _NOTHING:
            continue
        try:
            values.append(float(text))
        except ValueError:
            unreadable += 1
            continue
        kept_times.append(time)
        kept.append(text)
    return Numbers(Run(name, kept_times, values, unit), unreadable, _widened(kept, values))


def text_run(name: str, unit: str, times: array[int], cells: Sequence[str]) -> Run:
    """A run of texts; empty cells are no readings."""
    kept = [(time, cell) for time, cell in zip(times, cells, strict=True) if cell]
    return Run(name, array("q", [time for time, _ in kept]), [cell for _, cell in kept], unit)
