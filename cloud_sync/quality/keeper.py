"""A round over the days: find those that are to be computed, judge them, put each into the table.

Each day is a commit of its own, so a round that is killed has done what it has done, and the next goes on. A
day that cannot be judged (a damaged file, too little memory) is a problem of the report and does not hold
up the others; nothing here ever stops landing and registering.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pyarrow.compute as pc
from pyiceberg.table import Table

from cloud_sync.catalog.rewriting import rewrite
from cloud_sync.catalog.tables import open_or_make
from cloud_sync.config import CloudSync
from cloud_sync.lake.snapshots import expire
from cloud_sync.maintain import runs
from cloud_sync.maintain.iceberg import partitions
from cloud_sync.quality.days import Counted, due, is_over
from headrace.clock import Clock
from headrace.errors import LakeError, LakeUnavailable, QueryError, QueryStopped, UsageError
from headrace.lake.catalogue import catalogue_errors, exists, load_readings, open_catalogue
from headrace.lake.manifests import odd_files, watermark_of, watermarks
from headrace.lake.opening import open_store
from headrace.limits.quality import INCOMPLETE_BELOW, USUAL_DAYS
from headrace.metrics import Metrics
from headrace.query.sources import File

if TYPE_CHECKING:
    import pyarrow as pa

    from cloud_sync.quality.measure import Measure

log = logging.getLogger(__name__)

#: Told of each day before it is judged: the day, its place, and how many there are.
Watch = Callable[[date, int, int], None]

Files = Mapping[date, tuple[runs.File, ...]]


class DayDone(msgspec.Struct, frozen=True):
    """One day that was judged, or would be."""

    day: date
    series: int = 0
    readings: int = 0
    incomplete: int = 0
    problem: str = ""


class QualityKeeper:
    """Keeps the table of quality; one process per lake, the one that registers."""

    def __init__(
        self, config: CloudSync, clock: Clock, metrics: Metrics,
        watch: Watch = lambda _day, _at, _of: None,
    ) -> None:  # fmt: skip
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._watch = watch
        self._store = open_store(config.lake)
        self._measure: Measure | None = None
        self._is_stopping = False

    def stop(self) -> None:
        """Give up the day that is being judged; callable from another thread."""
        self._is_stopping = True
        if self._measure is not None:
            self._measure.stop()

    def reopen(self) -> None:
        """Read keys and credentials anew."""
        self._store = open_store(self._config.lake)
        self._measure = None

    def step(self) -> int:
        """A round for the service; returns the readings that were looked at.

        Raises:
            LakeUnavailable: no day could be judged; the next round tries again.
            LakeError: a table is not as it must be, or DuckDB cannot be had: said, and tried again.
        """
        try:
            done = self.round()
        except QueryStopped:
            return 0
        except (QueryError, UsageError) as error:
            # Of another kind it would end the service, and landing with it.
            raise LakeError(f"quality: {error}") from error
        failed = [day for day in done if day.problem]
        if failed and len(failed) == len(done) and not self._is_stopping:
            raise LakeUnavailable(f"quality of {failed[0].day}: {failed[0].problem}")
        return sum(day.readings for day in done)

    def round(
        self, *, only: Collection[date] = (), everything: bool = False, dry_run: bool = False
    ) -> list[DayDone]:
        """Judge the days that are due; or those that are named, or all, whether due or not.

        Raises:
            LakeUnavailable: store or catalogue are away.
            LakeError: a table is not as it must be.
        """
        catalogue = open_catalogue(self._config.lake) if exists(self._config.lake) else None
        readings = load_readings(catalogue) if catalogue is not None else None
        if catalogue is None or readings is None:
            return []
        found, odd = _by_day(readings), self._odd(readings)
        quality = open_or_make(catalogue, self._config.lake, "quality")
        days = self._due(found, odd, _by_day(quality), everything=everything)
        if only:
            days = sorted(only)
        done: list[DayDone] = []
        for at, day in enumerate(days):
            if self._is_stopping:
                break
            self._watch(day, at, len(days))
            done.append(DayDone(day) if dry_run else self._day(day, found, odd, quality))
        if not (dry_run or self._is_stopping):
            self._tidy(quality)
        return done

    def _due(
        self, found: Files, odd: Sequence[File], judged: Files, *, everything: bool
    ) -> list[date]:
        strange = self._measured().odd_days(odd)
        counted = {
            day: Counted(sum(file.rows for file in found.get(day, ())), strange.get(day, 0))
            for day in found.keys() | strange.keys()
        }
        known = self._measured().judged(
            [_file(file) for files in judged.values() for file in files]
        )
        settle_s = self._config.quality.settle_s
        return due(counted, {} if everything else known, now=self._now(), settle_s=settle_s)

    def _day(self, day: date, found: Files, odd: Sequence[File], quality: Table) -> DayDone:
        try:
            rows = self._judge(day, found, odd, quality)
        except QueryStopped:
            return DayDone(day, problem="stopped")
        except (LakeError, QueryError) as error:
            log.error("quality of %s: %s", day, error)
            return DayDone(day, problem=str(error))
        self._metrics.count("judged_days")
        readings = int(pc.sum(rows.column("readings")).as_py() or 0)
        return DayDone(day, rows.num_rows, readings, _incomplete(rows))

    def _judge(self, day: date, found: Files, odd: Sequence[File], quality: Table) -> pa.Table:
        from cloud_sync.quality.measure import Day

        with catalogue_errors("read the table of quality"):
            quality.refresh()
        known, now = _by_day(quality), self._now()
        before = [
            _file(file)
            for other, files in known.items()
            if timedelta(0) < day - other <= timedelta(days=USUAL_DAYS)
            for file in files
        ]
        judged = Day(
            date=day, readings=[_file(file) for file in found.get(day, ())], odd=odd, before=before,
            is_over=is_over(day, now, self._config.quality.settle_s),
        )  # fmt: skip
        rows, gone = self._measured().day(judged, now), known.get(day, ())
        if rows.num_rows or gone:
            rewrite(
                self._store, self._clock, quality, gone, rows, why="quality", partition=f"day={day}"
            )
        return rows

    def _odd(self, readings: Table) -> list[File]:
        """Files of readings with odd times, as far as their journals are registered."""
        marks = watermarks(readings.properties)
        return [
            File(self._store.uri(name.path), "odd")
            for name in odd_files(self._store)
            if name.last <= watermark_of(marks, name)
        ]

    def _tidy(self, quality: Table) -> None:
        with catalogue_errors("read the table of quality"):
            quality.refresh()
        expire(quality, self._config.register.keep_snapshots)
        over = {
            day: files for day, files in _by_day(quality).items() if is_over(day, self._now(), 0.0)
        }
        if over:
            newest = [_file(file) for file in over[max(over)]]
            self._metrics.set("incomplete_series", self._measured().incomplete(newest))

    def _measured(self) -> Measure:
        if self._measure is None:
            try:
                # Here: DuckDB is 30 MB that a registrar without quality does without.
                from cloud_sync.quality.measure import Measure
            except ModuleNotFoundError as error:
                raise UsageError(
                    f"quality needs the Python package {error.name}, which is not installed",
                    hint="pip install 'headrace[cloud,query]', or set quality.enabled = false",
                ) from error
            self._measure = Measure(self._config.lake, self._config.quality)
        return self._measure

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC)


def _by_day(table: Table) -> dict[date, tuple[runs.File, ...]]:
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


def _file(file: runs.File) -> File:
    return File(file.uri, "registered", file.rows, file.bytes)


def _incomplete(rows: pa.Table) -> int:
    below = pc.less(rows.column("completeness"), INCOMPLETE_BELOW)
    return int(pc.sum(pc.cast(below, "int64")).as_py() or 0)
