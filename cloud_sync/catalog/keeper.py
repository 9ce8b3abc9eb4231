"""Keeps the table of series up to what is registered.

What was registered since the last time is read back from the landing zone (labels, times and texts of it, no
values) and folded in; how far that goes in each journal is a property of the table, set in the commit that
brings the rows. So nothing is folded twice, whatever is killed when. Where a landed file is not there any more,
compaction has replaced it: then the table is made from the files of all readings, once.

So it is where its sum is not that of the table of readings: retention has removed a day, somebody has set the
table back, or a site has sent again what it landed before it lost its gateway's disk. That is done once an hour at
most, and meanwhile the view ``series`` counts by itself (``headrace.query.series``). A series of which retention has
left nothing stays, without readings: what was there once is worth knowing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from cloud_sync.catalog import fold, tags
from cloud_sync.catalog.rewriting import rewrite
from cloud_sync.catalog.tables import open_or_make
from cloud_sync.config import CloudSync
from cloud_sync.lake.snapshots import expire
from cloud_sync.maintain.iceberg import partitions
from headrace.clock import Clock
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.catalogue import catalogue_errors, exists, load_readings, open_catalogue
from headrace.lake.covered import registered_behind
from headrace.lake.manifests import read_manifest, watermarks
from headrace.lake.opening import arrow_filesystem, arrow_path, open_store
from headrace.lake.series import Coverage, coverage, rows_of
from headrace.landing import ManifestName, watermark_key
from headrace.limits.catalog import SERIES_BATCH_ROWS, SERIES_FOLD_MANIFESTS, SERIES_RECOUNT_S

log = logging.getLogger(__name__)

_TAGS: Final = pa.map_(pa.utf8(), pa.utf8())


class SeriesKeeper:
    """Brings the table of series up to date; one process per lake, the one that registers."""

    def __init__(self, config: CloudSync, clock: Clock) -> None:
        self._config = config
        self._lake = config.lake
        self._clock = clock
        self._store = open_store(config.lake)
        self._recounted_us = 0

    def reopen(self) -> None:
        """Read keys and credentials anew."""
        self._store = open_store(self._lake)

    def step(self) -> int:
        """Catch up; returns the number of readings that were looked at.

        Raises:
            LakeUnavailable: store or catalogue are away, or somebody was faster; the table is as it was.
            LakeError: the name is taken by another table, or by one of a later version.
        """
        catalogue = open_catalogue(self._lake) if exists(self._lake) else None
        readings = load_readings(catalogue) if catalogue is not None else None
        if catalogue is None or readings is None:
            return 0
        return self._catch_up(catalogue, readings)

    def _catch_up(self, catalogue: Catalog, readings: Table) -> int:
        table = open_or_make(catalogue, self._lake, "series")
        known = coverage(table.properties)
        marks, before = watermarks(readings.properties), _rows(table)
        folded = self._fold(known.marks, marks, fold.alive(before)) if known is not None else None
        if folded is not None and known is not None:
            rows, covered, looked = folded
            reached = Coverage(covered, _count(rows), known.uncounted)
            # Where counting has to wait, the sum is told as it is: who asks sees that it is not right.
            if reached.total == rows_of(readings) or not self._may_recount():
                self._save(table, fold.with_gone(rows, before), reached)
                return looked
        rows = self._all(readings)
        rest = max(0, (rows_of(readings) or 0) - _count(rows))
        self._save(table, fold.with_gone(rows, before), Coverage(marks, _count(rows), rest))
        return _count(rows)

    def _fold(
        self, covered: Mapping[str, int], marks: Mapping[str, int], rows: pa.Table
    ) -> tuple[pa.Table, Mapping[str, int], int] | None:
        """The rows with what was registered since; None where some of that is not there any more."""
        looked, behind = 0, registered_behind(self._store, covered, marks)
        while behind:
            now, behind = behind[:SERIES_FOLD_MANIFESTS], behind[SERIES_FOLD_MANIFESTS:]
            parts = self._read(now)
            if parts is None:
                log.info("landed files are gone already; series are counted from the table")
                return None
            rows = fold.merge([rows, *parts])
            covered = _reached(covered, now)
            looked += sum(_count(part) for part in parts)
        return rows, covered, looked

    def _may_recount(self) -> bool:
        """Once an hour; asked where the sum is not right."""
        now = self._clock.now_us()
        if self._recounted_us and now - self._recounted_us < SERIES_RECOUNT_S * 1e6:
            return False
        log.info("series are counted from the table: their sum is not that of the readings")
        self._recounted_us = now
        return True

    def _read(self, names: Sequence[ManifestName]) -> list[pa.Table] | None:
        """The series of what landed under these names; None where some of it is not there any more."""
        files, parts = arrow_filesystem(self._lake), []
        for name in names:
            try:
                for file in read_manifest(self._store, name).files:
                    path = arrow_path(self._store.uri(file.path))
                    parts += [fold.of_readings(part) for part in _row_groups(files, path)]
            except FileNotFoundError:
                return None
            except LakeUnavailable:
                raise
            except (LakeError, pa.ArrowException, KeyError) as error:
                # The registrar has said what is wrong with it, and left it out of the table.
                log.info("left out of the table of series: %s", error)
            except OSError as error:
                raise LakeUnavailable(f"a landed file cannot be read: {error}") from error
        return parts

    def _all(self, readings: Table) -> pa.Table:
        """The series of all files of the table, a row group at a time."""
        files, rows = arrow_filesystem(self._lake), fold.SCHEMA.empty_table()
        with catalogue_errors("plan the scan"):
            paths = [arrow_path(task.file.file_path) for task in readings.scan().plan_files()]
        for path in paths:
            try:
                rows = fold.merge([rows, *map(fold.of_readings, _row_groups(files, path))])
            except (OSError, pa.ArrowException) as error:
                raise LakeUnavailable(f"{path}: cannot be read: {error}") from error
        return rows

    def _save(self, table: Table, rows: pa.Table, reached: Coverage) -> None:
        named = _with_tags(rows, self._config)
        if reached == coverage(table.properties) and named.equals(_stored(table)):
            return
        gone = [file for each in partitions(table) for file in each.files]
        marks = reached.properties()
        rewrite(self._store, self._clock, table, gone, named, why="series", properties=marks)
        expire(table, self._config.register.keep_snapshots)


def _reached(covered: Mapping[str, int], names: Sequence[ManifestName]) -> dict[str, int]:
    reached = dict(covered)
    for name in names:
        key = watermark_key(name.site, name.journal)
        reached[key] = max(reached.get(key, 0), name.last)
    return reached


def _row_groups(files: Any, path: str) -> Iterator[pa.Table]:
    with files.open_input_file(path) as source:
        file = pq.ParquetFile(source, read_dictionary=["site", "device", "name", "unit", "clock"])
        for batch in file.iter_batches(SERIES_BATCH_ROWS, columns=list(fold.COLUMNS)):
            yield pa.Table.from_batches([batch])


def _stored(table: Table) -> pa.Table:
    """The rows of the table as they are."""
    with catalogue_errors("read the table of series"):
        found = table.scan().to_arrow()
    return found.cast(_schema()).sort_by(
        [(name, "ascending") for name in ("site", "device", "name")]
    )


def _rows(table: Table) -> pa.Table:
    return _stored(table).select(fold.SCHEMA.names).cast(fold.SCHEMA)


def _schema() -> pa.Schema:
    """In the order of the table's columns."""
    columns = {field.name: field for field in fold.SCHEMA}
    return pa.schema(
        [
            *(columns[name] for name in ("site", "device", "name", "unit")), pa.field("type", pa.utf8()),
            *(columns[name] for name in ("first_time", "last_time", "readings", "texts")),
            pa.field("tags", _TAGS),
        ]
    )  # fmt: skip


def _with_tags(rows: pa.Table, config: CloudSync) -> pa.Table:
    series = rows.select(["site", "device", "name"]).to_pydict()
    found = pa.array(tags.column(config.catalog.tags, series), _TAGS)
    whole = rows.append_column("type", fold.types(rows)).append_column("tags", found)
    return whole.select(_schema().names).cast(_schema()).combine_chunks()


def _count(rows: pa.Table) -> int:
    return int(sum(rows.column("readings").to_pylist()))
