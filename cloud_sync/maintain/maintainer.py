"""A round of maintenance over all tables: retention, compaction, expiry, sweep; in this order.

What is too old is not compacted first; what compaction replaced is swept in a later round, when its
snapshots are gone and its readers too. Whatever happens to one table, the others have their turn: an error
that does not heal is a problem of the report, and never stops landing and registering.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table

from cloud_sync.config import CloudSync
from cloud_sync.lake.history import follows, state_of
from cloud_sync.lake.record import TableRecord
from cloud_sync.lake.snapshots import expire, would_expire
from cloud_sync.maintain import landings, records, report
from cloud_sync.maintain.compaction import Compaction, Settings, StoppedError
from cloud_sync.maintain.estimate import estimate
from cloud_sync.maintain.iceberg import LostRaceError, Partition, partitions, replace
from cloud_sync.maintain.merge import UnusableFileError
from cloud_sync.maintain.report import Day, Report, Size
from cloud_sync.maintain.runs import Choice, File, choose, runs_of
from cloud_sync.maintain.sweep import Ages, sweep
from headrace.clock import Clock
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.catalogue import NAMESPACE, READINGS, catalogue_errors, exists, open_catalogue
from headrace.lake.opening import open_store
from headrace.lake.store import Store
from headrace.metrics import Metrics

log = logging.getLogger(__name__)

#: Called before each merge with a title and its rows, and with rows as they are written.
Watch = Callable[[str, int], Callable[[int], None]]


def _nobody(title: str, rows: int) -> Callable[[int], None]:
    del title, rows
    return lambda _: None


class Maintainer:
    """Keeps the tables of one lake small, dense and quick to open."""

    def __init__(
        self,
        config: CloudSync,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        watch: Watch = _nobody,
    ) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._watch = watch
        self._is_stopping = False
        self._record = TableRecord(store)
        self._opened: Catalog | None = None

    def stop(self) -> None:
        """Give up what is being merged; callable from another thread."""
        self._is_stopping = True

    def reopen(self) -> None:
        """Read keys and credentials anew."""
        self._store = open_store(self._config.lake)
        self._record = TableRecord(self._store)
        self._opened = None

    def step(self) -> int:
        """A round for the service; returns the rows that were rewritten."""
        done = self.round()
        log.info("lake: %s", done.health)
        return sum(day.before.rows for day in done.days if day.state == "done")

    def round(
        self, *, tables: Sequence[str] = (), days: Sequence[str] = (), dry_run: bool = False
    ) -> Report:
        """Maintain all tables, or those named, or some of their days.

        Raises:
            LakeUnavailable: store or catalogue are away; the next round goes on.
        """
        self._record.read()  # before the tables: a registrar may commit in between
        done: list[Day] = []
        states: list[report.Table] = []
        problems: list[str] = []
        for name in tables or self._names():
            try:
                table = self._load(name)
                if name == READINGS[1] and not dry_run:
                    self._check(table)
                own = list(self._compact(table, days, dry_run))
                done += own
                states.append(self._tidy(table, own, dry_run, everything=not days))
            except LakeUnavailable:
                raise
            except LakeError as error:
                log.error("maintenance of table %s: %s", name, error)
                problems.append(f"{name}: {error}")
        self._count(done, states, dry_run)
        return Report(dry_run, tuple(done), tuple(states), tuple(problems))

    def _names(self) -> list[str]:
        """Tables of the lake; none before the first registration."""
        if not exists(self._config.lake):
            return []
        with catalogue_errors("list the tables"):
            try:
                return sorted(name[-1] for name in self._catalogue().list_tables(NAMESPACE))
            except NoSuchNamespaceError:
                return []

    def _load(self, name: str) -> Table:
        with catalogue_errors("load the table"):
            try:
                return self._catalogue().load_table((NAMESPACE, name))
            except (NoSuchTableError, NoSuchNamespaceError) as error:
                raise LakeError(f"no table {NAMESPACE}.{name}", hint="see --table") from error

    def _check(self, table: Table) -> None:
        """Nothing is rewritten in a table that somebody has set back: it would be in the way of what was there."""
        self._record.check(state_of(table.metadata), lambda known: follows(table.metadata, known))

    def _catalogue(self) -> Catalog:
        if self._opened is None:
            self._opened = open_catalogue(self._config.lake)
        return self._opened

    def _compact(self, table: Table, days: Sequence[str], dry_run: bool) -> Iterator[Day]:
        if table.name()[-1] in self._config.maintain.skip:
            return
        for partition in partitions(table):
            if days and partition.name.partition("=")[2] not in days:
                continue
            if self._is_retired(table, partition):
                continue
            if self._is_stopping:
                return
            done = self._estimate(table, partition) if dry_run else self._day(table, partition)
            if done is not None:
                yield done

    def _estimate(self, table: Table, partition: Partition) -> Day | None:
        found = estimate(
            table, partition.files, self._config.maintain,
            lambda files: self._choose(partition, files),
        )  # fmt: skip
        if found is None:
            return None
        before = _size(partition.files)
        return Day(
            table.name()[-1], partition.name, "would", before, found.after, merges=found.merges
        )

    def _day(self, table: Table, partition: Partition) -> Day | None:
        """Merge what there is to merge, until the day is well."""
        name, before = table.name()[-1], _size(partition.files)
        left: set[File] = set()
        why, merges = "", 0
        state: report.State = "done"
        now = partition
        while choice := self._choose(now, [file for file in now.files if file not in left]):
            try:
                self._merge(table, now, choice)
                merges += 1
            except LostRaceError:
                state, why = "lost", "another process was faster; again in the next round"
                break
            except StoppedError:
                state, why = "left", "stopped"
                break
            except UnusableFileError as error:
                log.warning("left as it is: %s", error)
                left.add(error.file)
                why = f"{len(left)} files stay as they are: {error.message}"
            now = _again(table, partition)
        after = _size(now.files)
        if now == partition and not why:
            return None
        return Day(name, partition.name, state, before, after, why, merges)

    def _merge(self, table: Table, partition: Partition, choice: Choice) -> None:
        maintain = self._config.maintain
        tell = self._watch(f"{table.name()[-1]} {partition.name}", sum(r.rows for r in choice.runs))

        def progress(rows: int) -> bool:
            tell(rows)
            return not self._is_stopping

        settings = Settings(maintain.target_bytes, maintain.level)
        rows = Compaction(self._store, table, settings, self._clock).run(
            partition.name, choice, progress
        )
        self._metrics.count("compacted_readings", rows)
        self._metrics.count("compacted_files", sum(len(run.files) for run in choice.runs))

    def _choose(self, partition: Partition, files: Sequence[File]) -> Choice | None:
        # A month or a year of a computed table gets new files with each late day of it: never dense for long.
        over = partition.ends if partition.is_day else None
        is_over = over is not None and self._now() >= over + timedelta(
            seconds=self._config.maintain.settle_s
        )
        return choose(runs_of(files), is_over=is_over, min_runs=self._config.maintain.min_files)

    def _tidy(
        self, table: Table, days: Sequence[Day], dry_run: bool, *, everything: bool
    ) -> report.Table:
        """Retention, expiry and sweep, and how the table is now."""
        name, keep = table.name()[-1], self._config.register.keep_snapshots
        with catalogue_errors("read the table back"):
            table.refresh()
        retired = self._retire(table, dry_run) if everything else Size()
        strays = self._strays(table, dry_run) if everything else Size()
        coming = sum(day.merges for day in days) + bool(retired.files) if dry_run else 0
        count = len(table.snapshots()) + coming
        if name == READINGS[1] and not dry_run:
            self._record.follow(state_of(table.metadata))  # before the snapshots that lead to it go
        forgotten = would_expire(table, keep, coming) if dry_run else expire(table, keep)
        if forgotten and not dry_run:
            with catalogue_errors("load the table"):
                table.refresh()
        swept = sweep(self._store, table, self._ages(), dry_run=dry_run)
        files = [file for each in partitions(table) for file in each.files]
        return report.Table(
            name, _size(files), count, forgotten, retired,
            len(swept.files), len(swept.metadata), swept.waiting, strays,
        )  # fmt: skip

    def _retire(self, table: Table, dry_run: bool) -> Size:
        """Take partitions out that are past the table's days: whole files, one commit."""
        old = [each for each in partitions(table) if self._is_retired(table, each)]
        files = [file for each in old for file in each.files]
        if files and not dry_run:
            uris = (file.uri for file in files)
            records.put(self._store, records.removal(table, uris, self._clock.now_us()))
            try:
                replace(table, files, [], why="retention")
            except LostRaceError:
                log.info("retention of %s: another process was faster", table.name()[-1])
                return Size()
            self._metrics.count("retired_readings", sum(file.rows for file in files))
        return _size(files)

    def _strays(self, table: Table, dry_run: bool) -> Size:
        """Files of landings that nobody needs: found now, removed by the sweep."""
        if table.name()[-1] != READINGS[-1]:
            return Size()
        now_us = self._clock.now_us()
        found = landings.find(self._store, table, now_us)
        size = sum(self._store.size(path) or 0 for path in found.paths)
        if not dry_run:
            landings.take(self._store, table, found, now_us)
        return Size(len(found.paths), size)

    def _is_retired(self, table: Table, partition: Partition) -> bool:
        days = self._config.maintain.keep_days.get(table.name()[-1])
        if days is None or partition.ends is None:
            return False
        return partition.ends + timedelta(days=days) <= self._now()

    def _ages(self) -> Ages:
        maintain = self._config.maintain
        return Ages(
            now_us=self._clock.now_us(),
            grace_us=round(maintain.grace_s * 1e6),
            orphan_us=round(maintain.orphan_age_s * 1e6),
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC)

    def _count(self, days: Sequence[Day], tables: Sequence[report.Table], dry_run: bool) -> None:
        for table in tables:
            self._metrics.set("table_files", table.size.files, table=table.table)
            self._metrics.set("table_bytes", table.size.bytes, table=table.table)
            self._metrics.set("table_snapshots", table.snapshots, table=table.table)
            if not dry_run:
                self._metrics.count("removed_files", table.removed_files)
        self._metrics.count("lost_compactions", sum(day.state == "lost" for day in days))


def _again(table: Table, partition: Partition) -> Partition:
    """The same partition as the table has it now."""
    with catalogue_errors("read the table back"):
        table.refresh()
    found = [each for each in partitions(table) if each.name == partition.name]
    return found[0] if found else Partition(partition.name, partition.ends, (), partition.is_day)


def _size(files: Sequence[File]) -> Size:
    return Size(len(files), sum(file.bytes for file in files), sum(file.rows for file in files))
