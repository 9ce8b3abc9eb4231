"""What there is at the beginning of a round, and what of it was judged before: files by day, and their counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from pyiceberg.table import Table

from cloud_sync.maintain import runs
from cloud_sync.maintain.iceberg import partitions
from cloud_sync.quality.changes import changes
from cloud_sync.quality.days import Changed, Counted, Judged, devices, ends
from headrace.errors import LakeError
from headrace.lake.config import Lake
from headrace.lake.covered import covered
from headrace.lake.manifests import odd_files, watermark_of, watermarks
from headrace.lake.store import Store
from headrace.query.sources import File

if TYPE_CHECKING:
    from cloud_sync.quality.measure import Measure

Files = Mapping[date, tuple[runs.File, ...]]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at both tables.

    ``found`` and ``counted`` are of the readings, ``judged`` of the table of quality; ``changed``: what came since the last
    round that was whole, where that is known; ``marks``: how far the readings go.
    """

    found: Files
    odd: Sequence[File]
    counted: Mapping[date, Counted]
    judged: Mapping[date, Judged]
    marks: Mapping[str, int]
    changed: Mapping[date, Changed] = field(default_factory=dict)

    def devices(self, day: date, now: datetime, settle_s: float) -> frozenset[str] | None:
        """Those of a day that have to be judged; None: all."""
        return devices(
            self.counted.get(day, Counted()), self.judged.get(day), self.changed.get(day),
            is_over_at=ends(day) + timedelta(seconds=settle_s), now=now,
        )  # fmt: skip


def look(
    lake: Lake, store: Store, readings: Table, quality: Table, measure: Measure, *, anew: bool
) -> Look:
    """Look at both.

    Args:
        anew: nothing of what was judged before is of use.

    Raises:
        LakeError: a table is not by day, or a file cannot be read.
    """
    marks, found = watermarks(readings.properties), by_day(readings)
    odd = [
        File(store.uri(name.path), "odd")
        for name in odd_files(store)
        if name.last <= watermark_of(marks, name)
    ]
    strange = measure.odd_days(odd)
    counted = {
        day: Counted(sum(file.rows for file in found.get(day, ())), strange.get(day, 0))
        for day in found.keys() | strange.keys()
    }
    if anew:
        return Look(found, odd, counted, {}, marks)
    judged = measure.judged([as_file(file) for files in by_day(quality).values() for file in files])
    changed = changes(lake, store, covered(quality.properties), marks)
    return Look(found, odd, counted, judged, marks, changed)


def by_day(table: Table) -> dict[date, tuple[runs.File, ...]]:
    """The files of a table by day.

    Raises:
        LakeError: it is not partitioned by day.
    """
    found: dict[date, tuple[runs.File, ...]] = {}
    for each in partitions(table):
        if each.ends is None:
            raise LakeError(
                f"table {'.'.join(table.name())}: expected partitions by day, got {each.name!r}",
                hint="quality.enabled = false, until it is by day again",
            )
        found[(each.ends - timedelta(days=1)).date()] = each.files
    return found


def as_file(file: runs.File) -> File:
    """As the engine of queries takes it."""
    return File(file.uri, "registered", file.rows, file.bytes)
