"""Which readings of a journal are wanted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pyarrow as pa
import pyarrow.compute as pc

from headrace.errors import UsageError
from headrace.journal import JournalRow

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Globs of device and series name; reading times in microseconds, ``until`` not included."""

    device: str = "*"
    name: str = "*"
    since: int | None = None
    until: int | None = None

    def rows(self, rows: Sequence[JournalRow]) -> list[JournalRow]:
        """The batches that may hold wanted readings."""
        return [row for row in rows if fnmatchcase(row.device, self.device)]

    def readings(self, table: pa.Table) -> pa.Table:
        """The wanted readings of columns with ``name`` and ``time``."""
        if self.name != "*":
            names = pc.unique(table.column("name").cast("string")).to_pylist()
            wanted = [name for name in names if fnmatchcase(name, self.name)]
            kept = pc.is_in(table.column("name").cast("string"), pa.array(wanted, pa.utf8()))
            table = table.filter(kept)
        times = table.column("time")
        if self.since is not None:
            table = table.filter(pc.greater_equal(times, _time(self.since, times.type)))
            times = table.column("time")
        if self.until is not None:
            table = table.filter(pc.less(times, _time(self.until, times.type)))
        return table


def _time(at_us: int, kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(at_us, pa.int64()).cast(kind)


def parse_time(text: str, now_us: int) -> int:
    """``2026-11-23``, ``2026-11-23T08:00:00Z`` (UTC unless it says otherwise), or ``90s``, ``5m``,
    ``2h``, ``7d`` ago.

    Raises:
        UsageError: none of these.
    """
    factors = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    if text[:-1].isdecimal() and text[-1] in factors:
        return now_us - int(text[:-1]) * factors[text[-1]] * _SECOND_US
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a time", hint="for example 2026-11-23T08:00:00, or 2h for 2 h ago"
        ) from error
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return round(at.timestamp() * _SECOND_US)
