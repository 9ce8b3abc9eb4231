"""The files of one region: what was computed, and what stays of the files that it replaces.

::

    1. record   which files go and where the new ones will lie (cloud_sync.maintain.records)
    2. new      the region's rows, computed, in the table's order
    3. kept     of each file that goes, the rows outside the region, in a file of their own
    4. commit   new and kept instead of the old, and what is remembered of the day: one commit

Killed before 4, the table is as it was, and maintenance removes what was written by the record. Run again, the
region is computed again and is the same. Nothing is in memory but a piece of devices and a row group.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from cloud_sync.compute.days import DAY_US, Area, DataFile, Region, Source, starts_us
from cloud_sync.compute.engines.port import Engine, Rows
from cloud_sync.compute.table import ComputedTable, LastRun
from cloud_sync.maintain import records
from cloud_sync.maintain.compaction import StoppedError, address
from cloud_sync.maintain.iceberg import LostRaceError
from cloud_sync.maintain.merge import read
from cloud_sync.maintain.records import Record
from cloud_sync.maintain.runs import File, job_name
from cloud_sync.maintain.writer import arrow_schema, row_groups, write
from headrace.clock import Clock
from headrace.codecs.columns import TIME_TYPE
from headrace.errors import HeadraceError
from headrace.lake.store import Store
from headrace.limits.compute import COMPUTE_FILE_BYTES, COMPUTE_LEVEL
from headrace.limits.maintain import MERGE_BYTES

_ORDER: Final = ("device", "name", "site", "unit", "time")

#: Told how many rows of the source are done; answers whether to go on.
Progress = Callable[[int], bool]


@dataclass(slots=True)
class _Written:
    """The files of one attempt, and their records."""

    uris: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


class RegionJob:
    """Computes regions of one target."""

    def __init__(self, store: Store, table: ComputedTable, engine: Engine, clock: Clock) -> None:
        self._store = store
        self._table = table
        self._engine = engine
        self._clock = clock
        self._schema = arrow_schema(table.iceberg.schema())

    def run(self, source: Source, region: Region, progress: Progress) -> int:
        """Compute and commit; returns the number of rows that were computed.

        Raises:
            LostRaceError: another process was faster. StoppedError: as ``progress`` wished. LakeError
        """
        gone = [file for file in self._table.files() if file.area.meets(region.area)]
        written = _Written()
        try:
            computed = self._write(written, gone, self._new(source, region, progress))
            for file in gone:
                self._write(written, gone, self._kept(file, region.area))
        except (HeadraceError, StoppedError):
            self._undo(written)
            raise
        try:
            last = LastRun(self._clock.now_us(), self._engine.name)
            self._table.commit(region, gone, written.uris, last)
        except LostRaceError:
            self._undo(written)
            raise
        return computed

    def _new(self, source: Source, region: Region, progress: Progress) -> Iterator[pa.Table]:
        """The region's rows in the table's order, a batch at a time."""
        target, start_us = self._table.target, starts_us(region.day)
        rows = Rows((), target.columns, start_us - target.back_us, start_us + DAY_US, region.area)
        for area, count, files in self._pieces(source, rows):
            found = target.expression(self._engine.read(replace(rows, area=area, files=files)))
            found = found.filter(found["time"] >= start_us)
            found = found.order_by([name for name in _ORDER if name in found.columns])
            for batch in self._engine.batches(found):
                yield aligned(batch, self._schema)
            if not progress(count):
                raise StoppedError

    def _pieces(self, source: Source, rows: Rows) -> Iterator[tuple[Area, int, list[DataFile]]]:
        """Devices that are taken at once, the rows of the source that they have, and its files."""
        span = Area(
            rows.first_us // DAY_US, (rows.end_us - 1) // DAY_US,
            rows.area.first_device, rows.area.last_device,
        )  # fmt: skip
        files = [file for file in source.files if file.area.meets(span)]
        if not files:
            return
        count = sum(file.rows for file in files)
        if count <= self._engine.max_rows:
            yield span, count, files
            return
        columns = pa.schema([rows.columns.field(name) for name in ("device", "time")])
        counted = replace(rows, columns=columns, files=files)
        for first, last, some in pieces(list(self._counts(counted)), self._engine.max_rows):
            area = replace(span, first_device=first, last_device=last)
            yield area, some, [file for file in files if file.area.meets(area)]

    def _counts(self, rows: Rows) -> Iterator[tuple[str, int]]:
        """The rows of each device, in order."""
        table = self._engine.read(rows)
        found = table.group_by("device").aggregate(rows=table.count()).order_by("device")
        for batch in self._engine.batches(found):
            yield from zip(batch["device"].to_pylist(), batch["rows"].to_pylist(), strict=True)

    def _kept(self, file: DataFile, area: Area) -> Iterator[pa.Table]:
        """The rows of a file that are not in the area."""
        table = self._table.iceberg
        known = File(file.uri, file.bytes, file.rows)
        for part in read(table.io, known, self._schema, MERGE_BYTES):
            kept = part.filter(pc.invert(_inside(part, area)))
            if kept.num_rows:
                yield kept

    def _write(
        self, written: _Written, gone: Sequence[DataFile], tables: Iterator[pa.Table]
    ) -> int:
        """One run of files in order; their number of rows."""
        record = self._record(gone)
        rows = 0
        files = write(
            self._table.iceberg.io, row_groups(self._noted(record, written, tables)),
            name=lambda number: address(record, number),
            target_bytes=COMPUTE_FILE_BYTES, level=COMPUTE_LEVEL,
        )  # fmt: skip
        for uri, count in files:
            if uri not in written.uris:
                written.uris.append(uri)
            rows += count
        return rows

    def _noted(
        self, record: Record, written: _Written, tables: Iterator[pa.Table]
    ) -> Iterator[pa.Table]:
        """The same tables; the record is put before the first of them is written."""
        for table in tables:
            if record not in written.records:
                records.put(self._store, record)
                written.records.append(record)
            yield table

    def _record(self, gone: Sequence[DataFile]) -> Record:
        table = self._table.iceberg
        return Record(
            job_name(self._clock.now_us(), secrets.token_hex(4)), self._table.target.name,
            str(table.metadata.table_uuid), "", tuple(file.uri for file in gone),
            table.location_provider().new_data_location("computed").rstrip("/"),
        )  # fmt: skip

    def _undo(self, written: _Written) -> None:
        """Nothing was committed: what was written goes at once, the last file first, and then the records."""
        files = self._table.iceberg.io
        records_too = [self._store.uri(record.path) for record in written.records]
        for uri in (*reversed(written.uris), *records_too):
            with suppress(OSError):
                files.delete(uri)


def pieces(counts: Sequence[tuple[str, int]], max_rows: int) -> Iterator[tuple[str, str, int]]:
    """First and last device of pieces of up to so many rows, and their rows; one device is never cut."""
    first, last, rows = "", "", 0
    for device, count in counts:
        if rows and rows + count > max_rows:
            yield first, last, rows
            rows = 0
        if not rows:
            first = device
        last, rows = device, rows + count
    if rows:
        yield first, last, rows


def aligned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """A batch of an engine as the table has it: times are times, labels dictionaries, no unit is null."""
    columns = [_column(batch.column(field.name), field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(column: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_timestamp(field.type):
        return column.cast(pa.int64()).view(TIME_TYPE)
    if not pa.types.is_dictionary(field.type):
        return column.cast(field.type)
    texts = column.cast(pa.utf8())
    if field.nullable:
        texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.utf8()), texts)
    return texts.dictionary_encode()


def _inside(table: pa.Table, area: Area) -> pa.ChunkedArray:
    times = table.column("time").cast(pa.int64())
    devices = table.column("device").cast(pa.utf8())
    found = pc.and_(
        pc.greater_equal(times, starts_us(area.first_day)),
        pc.less(times, starts_us(area.last_day + 1)),
    )
    found = pc.and_(found, pc.greater_equal(devices, area.first_device))
    if area.last_device is not None:
        found = pc.and_(found, pc.less_equal(devices, area.last_device))
    return found
