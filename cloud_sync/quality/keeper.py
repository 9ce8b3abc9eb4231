"""A round over the days: find those that are to be computed, judge them, put each into the table.

Each day is a commit of its own, so a round that is killed has done what it has done, and the next goes on. A
day that cannot be judged (a damaged file, too little memory) is a problem of the report and does not hold
up the others; nothing here ever stops landing and registering.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pyarrow.compute as pc
from pyiceberg.table import Table

from cloud_sync.catalog.rewriting import rewrite
from cloud_sync.catalog.tables import open_or_make
from cloud_sync.config import CloudSync
from cloud_sync.lake.snapshots import expire
from cloud_sync.quality.days import due, read_until, write_until
from cloud_sync.quality.days import is_over as day_is_over
from cloud_sync.quality.look import Look, as_file, by_day, look
from headrace.clock import Clock
from headrace.errors import LakeError, LakeUnavailable, QueryError, QueryStopped, UsageError
from headrace.lake.catalogue import catalogue_errors, exists, load_readings, open_catalogue
from headrace.lake.covered import as_covered, covered
from headrace.lake.opening import open_store
from headrace.limits.quality import INCOMPLETE_BELOW, USUAL_DAYS
from headrace.metrics import Metrics

if TYPE_CHECKING:
    import pyarrow as pa

    from cloud_sync.quality.measure import Measure

log = logging.getLogger(__name__)

#: Told of each day before it is judged: the day, its place, and how many there are.
Watch = Callable[[date, int, int], None]


class DayDone(msgspec.Struct, frozen=True):
    """One day that was judged, or would be; ``devices``: of how many, where the rows of others were taken over."""

    day: date
    series: int = 0
    readings: int = 0
    incomplete: int = 0
    devices: int | None = None
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
        quality = open_or_make(catalogue, self._config.lake, "quality")
        seen = look(
            self._config.lake, self._store, readings, quality, self._measured(),
            anew=everything or bool(only),
        )  # fmt: skip
        days = sorted(only) or self._due(seen)
        done: list[DayDone] = []
        for at, day in enumerate(days):
            if self._is_stopping:
                break
            self._watch(day, at, len(days))
            done.append(DayDone(day) if dry_run else self._day(day, seen, quality))
        if not (dry_run or self._is_stopping):
            is_whole = not only and not any(day.problem for day in done)
            self._tidy(quality, seen.marks if is_whole else {})
        return done

    def _due(self, seen: Look) -> list[date]:
        settle_s = self._config.quality.settle_s
        return due(seen.counted, seen.judged, now=self._now(), settle_s=settle_s)

    def _day(self, day: date, seen: Look, quality: Table) -> DayDone:
        try:
            rows, devices = self._judge(day, seen, quality)
        except QueryStopped:
            return DayDone(day, problem="stopped")
        except (LakeError, QueryError) as error:
            log.error("quality of %s: %s", day, error)
            return DayDone(day, problem=str(error))
        self._metrics.count("judged_days")
        readings = int(pc.sum(rows.column("readings")).as_py() or 0)
        return DayDone(day, rows.num_rows, readings, _incomplete(rows), devices)

    def _judge(self, day: date, seen: Look, quality: Table) -> tuple[pa.Table, int | None]:
        """The rows of a day, and of how many devices they are new; None: of all."""
        from cloud_sync.quality.measure import Day

        with catalogue_errors("read the table of quality"):
            quality.refresh()
        known, now, settle_s = by_day(quality), self._now(), self._config.quality.settle_s
        is_over, until = day_is_over(day, now, settle_s), read_until(quality.properties)
        devices = seen.devices(day, now, settle_s)
        if not is_over and day not in until:
            devices = None
        before = [
            as_file(file)
            for other, files in known.items()
            if timedelta(0) < day - other <= timedelta(days=USUAL_DAYS)
            for file in files
        ]
        judged = Day(
            date=day, readings=[as_file(file) for file in seen.found.get(day, ())], odd=seen.odd,
            before=before, is_over=is_over, devices=devices,
            judged=[as_file(file) for file in known.get(day, ())],
            until_us=0 if devices is None or is_over else until[day],
        )  # fmt: skip
        (rows, until_us), gone = self._measured().day(judged, now), known.get(day, ())
        if rows.num_rows or gone:
            rewrite(
                self._store, self._clock, quality, gone, rows, why="quality", partition=f"day={day}",
                properties=write_until(until, day, None if is_over else until_us),
            )  # fmt: skip
        return rows, None if devices is None else len(devices)

    def _tidy(self, quality: Table, marks: Mapping[str, int]) -> None:
        """Remember how far this round went, if it was whole; forget old snapshots; say what is incomplete."""
        with catalogue_errors("read the table of quality"):
            quality.refresh()
        if marks and covered(quality.properties) != marks:
            with catalogue_errors("remember what was judged"), quality.transaction() as change:
                change.set_properties(as_covered(marks))
        expire(quality, self._config.register.keep_snapshots)
        over = {
            day: files
            for day, files in by_day(quality).items()
            if day_is_over(day, self._now(), 0.0)
        }
        if over:
            newest = [as_file(file) for file in over[max(over)]]
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


def _incomplete(rows: pa.Table) -> int:
    below = pc.less(rows.column("completeness"), INCOMPLETE_BELOW)
    return int(pc.sum(pc.cast(below, "int64")).as_py() or 0)
