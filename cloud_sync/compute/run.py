"""One run of a job: table by table, day by day, the oldest first.

Before each day the tables are looked at again, because a run may take hours while others register and
compact. A day that another process computed meanwhile is not computed twice; one that it is computing is left to
the faster of the two. Killed anywhere, the next run goes on behind the last day that was committed.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace

import msgspec
from pyiceberg.catalog import Catalog

from cloud_sync.compute.days import (
    DAY_US,
    Area,
    Region,
    Source,
    name_of,
    read_done,
    regions,
    settled,
)
from cloud_sync.compute.described import describe
from cloud_sync.compute.engines.opening import open_engine
from cloud_sync.compute.engines.port import Engine
from cloud_sync.compute.files import files_of
from cloud_sync.compute.jobs import Job
from cloud_sync.compute.region import RegionJob
from cloud_sync.compute.table import ComputedTable, computed, load, source_of
from cloud_sync.compute.targets import Target
from cloud_sync.config import CloudSync, EngineName
from cloud_sync.maintain.compaction import StoppedError
from cloud_sync.maintain.iceberg import LostRaceError
from headrace.clock import Clock, SystemClock
from headrace.lake.catalogue import exists, open_catalogue
from headrace.lake.opening import open_store
from headrace.limits.compute import COMPUTE_TRIES
from headrace.metrics import Metrics
from headrace.words import instant

log = logging.getLogger(__name__)

#: Called before each region with a title and the rows of its source, and with rows as they are done.
Watch = Callable[[str, int], Callable[[int], None]]


def _nobody(title: str, rows: int) -> Callable[[int], None]:
    del title, rows
    return lambda _: None


class Outcome(msgspec.Struct, frozen=True):
    """What a run did to one table; ``left``: days that another process was faster with."""

    table: str
    days: tuple[str, ...] = ()
    rows: int = 0
    left: tuple[str, ...] = ()
    is_complete: bool = True

    def __str__(self) -> str:
        rest = f", left to another process: {', '.join(self.left)}" if self.left else ""
        stopped = "" if self.is_complete else ", stopped before the end"
        return f"{self.table}: {len(self.days)} days, {self.rows} rows{rest}{stopped}"


class ComputeRun:
    """A job and where it works."""

    def __init__(
        self, config: CloudSync, job: Job, metrics: Metrics, *, engine: EngineName | None = None,
        since: int | None = None, clock: Clock | None = None, watch: Watch = _nobody,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._config = config
        self._job = job
        self._metrics = metrics
        self._engine = engine or job.settings.engine
        self._since = since
        self._clock = clock or SystemClock()
        self._watch = watch
        self._should_stop = should_stop

    def run(self) -> list[Outcome]:
        """Compute what has changed.

        Raises:
            UsageError: a table of that name is another one, or the engine is not installed.
            LakeError: store, catalogue or engine failed; another run goes on where this one ended.
        """
        if not exists(self._config.lake):
            return [Outcome(name) for name in self._job.tables]
        catalogue = open_catalogue(self._config.lake)
        with ExitStack() as stack:
            opened: list[Engine] = []

            def engine() -> Engine:
                """Started with the first region: most runs of a quiet lake have none."""
                if not opened:
                    config = self._config
                    opened.append(open_engine(self._engine, config.engines, config.lake))
                    stack.enter_context(opened[0])
                return opened[0]

            return [self._target(catalogue, each, engine) for each in self._job.targets()]

    def _target(self, catalogue: Catalog, target: Target, engine: Callable[[], Engine]) -> Outcome:
        table = ComputedTable(catalogue, self._config.lake, target)
        days: list[str] = []
        left: list[str] = []
        rows, tries = 0, Counter[int]()
        while not self._should_stop():
            kept_from = _kept_from(self._config, target, self._clock)
            source, todo = plan(catalogue, table, kept_from=kept_from, since=self._since)
            # Of a forced day the versions do not say that it is done.
            region = next((each for each in todo if tries[each.day] < COMPUTE_TRIES), None)
            if region is None:
                _settle(table, source)
                if days and target.wanted is not None:
                    describe(catalogue, table.iceberg, target.wanted)
                return Outcome(target.name, tuple(days), rows, tuple(left))
            tries[region.day] += 1
            try:
                rows += self._region(engine(), table, source, region)
            except LostRaceError:
                if tries[region.day] == COMPUTE_TRIES:
                    left.append(name_of(region.day))
            except StoppedError:
                break
            else:
                tries[region.day] = COMPUTE_TRIES
                days.append(name_of(region.day))
        return Outcome(target.name, tuple(days), rows, tuple(left), is_complete=False)

    def _region(self, engine: Engine, table: ComputedTable, source: Source, region: Region) -> int:
        name = f"{table.target.name} {name_of(region.day)}"
        span = replace(region.area, first_day=region.day - back_days(table.target))
        tell = self._watch(name, sum(each.rows for each in source.files if each.area.meets(span)))

        def progress(rows: int) -> bool:
            tell(rows)
            return not self._should_stop()

        job = RegionJob(open_store(self._config.lake), table, engine, self._clock)
        rows = job.run(source, region, progress)
        self._metrics.count("computed_rows", rows)
        log.info("%s: %d rows, devices %s", name, rows, _devices(region.area))
        return rows


def plan(
    catalogue: Catalog, table: ComputedTable, *, kept_from: int | None, since: int | None = None
) -> tuple[Source, list[Region]]:
    """What a table is made of now, and what of it has to be computed, oldest first."""
    table.refresh()
    source = source_of(catalogue, table.target, kept_from)
    days = back_days(table.target)
    return source, regions(source, table.done, back_days=days, since=since)


def _kept_from(config: CloudSync, target: Target, clock: Clock) -> int | None:
    """The first day that retention (``maintain.keep_days``) leaves in the table that a target is made of."""
    days = config.maintain.keep_days.get(target.source)
    return None if days is None else clock.now_us() // DAY_US - days


def _settle(table: ComputedTable, source: Source) -> None:
    days = settled(source, table.done, back_days=back_days(table.target))
    if days:
        with suppress(LostRaceError):  # then the other process has looked
            table.settle(days)


def back_days(target: Target) -> int:
    """How many days before it a day of the target needs."""
    return -(-target.back_us // DAY_US)


class State(msgspec.Struct, frozen=True):
    """How a table is: what it has, and which days of its source it does not have as they are now.

    ``is_left``: no job of the configuration makes it any more.
    """

    table: str
    days: int = 0
    newest: str = ""
    rows: int = 0
    bytes: int = 0
    waiting: tuple[str, ...] = ()
    computed_at: str = ""
    engine: str = ""
    is_left: bool = False


def left_behind(config: CloudSync, jobs: Sequence[Job]) -> list[State]:
    """Tables that were computed once, and that no job makes any more.

    Raises:
        LakeError: the catalogue does not answer.
    """
    if not exists(config.lake):
        return []
    catalogue = open_catalogue(config.lake)
    made = {name for job in jobs for name in job.tables}
    return [_left(catalogue, name) for name in computed(catalogue) if name not in made]


def _left(catalogue: Catalog, name: str) -> State:
    table = load(catalogue, name)
    if table is None:
        return State(name, is_left=True)
    done, files = read_done(table.properties), files_of(table)
    return State(
        name, len(done), name_of(max(done)) if done else "", sum(file.rows for file in files),
        sum(file.bytes for file in files), is_left=True,
    )  # fmt: skip


def states(config: CloudSync, job: Job) -> list[State]:
    """The tables of a job.

    Raises:
        LakeError: the catalogue does not answer.
    """
    if not exists(config.lake):
        return [State(name) for name in job.tables]
    catalogue = open_catalogue(config.lake)
    return [
        _state(catalogue, ComputedTable(catalogue, config.lake, each), config)
        for each in job.targets()
    ]


def _state(catalogue: Catalog, table: ComputedTable, config: CloudSync) -> State:
    kept_from = _kept_from(config, table.target, SystemClock())
    _, todo = plan(catalogue, table, kept_from=kept_from)
    done, files, last = table.done, table.files(), table.last
    return State(
        table.target.name, len(done), name_of(max(done)) if done else "",
        sum(file.rows for file in files), sum(file.bytes for file in files),
        tuple(name_of(region.day) for region in todo),
        instant(last.at_us) if last else "", last.engine if last else "",
    )  # fmt: skip


def _devices(area: Area) -> str:
    return f"{area.first_device or 'all'} to {area.last_device or 'the last'}"
