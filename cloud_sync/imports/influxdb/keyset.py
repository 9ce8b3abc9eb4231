"""Pages of a measurement behind a time: the port of versions 1 and 3, and the loop over it.

A page is asked for in order of time and may be cut in the middle of rows of one time. So of a full page
the rows of its last time are left for the next one, whose place is the time before; where a whole page is
of one time, a larger one is asked for. Times stay as the server says them: microseconds would be too
coarse to go on from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cloud_sync.imports.influxdb.page import Page
from headrace.errors import UsageError
from headrace.limits.imports import INFLUXDB_MAX_PAGE_ROWS, INFLUXDB_PAGE_ROWS


@dataclass(frozen=True, slots=True)
class Raw:
    """A page as it came: the server's own times, and columns."""

    times: list[Any]
    page: Page


class Keyset(ABC):
    """A server that can be asked for rows behind a time."""

    @abstractmethod
    def measurements(self) -> list[str]:
        """Their names, in order."""

    @abstractmethod
    def first(self, start_us: int) -> str:
        """The place in front of all rows from a time on."""

    @abstractmethod
    def ask(self, measurement: str, after: str, end_us: int, limit: int) -> Raw:
        """Rows behind a place and before an end, in order of time, at most ``limit``."""

    def pages(self, measurement: str, after: str, end_us: int) -> Iterator[tuple[Page, str]]:
        """Pages, each with the place behind it."""
        limit = INFLUXDB_PAGE_ROWS
        while True:
            raw = self.ask(measurement, after, end_us, limit)
            count = len(raw.times)
            if count < limit:
                if count:
                    yield raw.page, str(raw.times[-1])
                return
            keep = raw.times.index(raw.times[-1])
            if keep == 0:
                limit = _larger(limit, measurement, raw.times[-1])
                continue
            after, limit = str(raw.times[keep - 1]), INFLUXDB_PAGE_ROWS
            yield _cut(raw.page, keep), after


def _larger(limit: int, measurement: str, time: Any) -> int:
    if limit >= INFLUXDB_MAX_PAGE_ROWS:
        raise UsageError(
            f"measurement {measurement!r} has more than {limit} rows of the time {time}",
            hint="import it by files instead",
        )
    return limit * 2


def _cut(page: Page, keep: int) -> Page:
    columns = {name: cells.slice(0, keep) for name, cells in page.columns.items()}
    return Page(page.measurement, page.times.slice(0, keep), columns, page.tags)


def from_nanoseconds(times: list[int]) -> pa.Array:
    """Microseconds; what is finer is cut off."""
    return pc.divide(pa.array(times, pa.int64()), 1_000).cast(pa.timestamp("us", tz="UTC"))
