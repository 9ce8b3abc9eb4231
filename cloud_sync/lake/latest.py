"""Keeps the newest reading of each series beside the table (``headrace.lake.latest``).

What was registered since the last time is read back from the landing zone, in the order of the journals,
and merged in: it is small, it is there as long as the registrar needs it, and it says to which offset
the state goes afterwards. Where that cannot be (the first time on an old lake, a landed file that
compaction has replaced meanwhile), the state is made again from all files of the table, a row group
at a time: about a minute and 200 MB of memory for a billion readings.

One process per lake does this, the one that registers. It writes one object, whole; killed, it goes on
from the one before.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.catalogue import catalogue_errors, exists, load_readings, open_catalogue
from headrace.lake.config import Lake
from headrace.lake.latest import SCHEMA, State, load, merge, newest, save
from headrace.lake.manifests import read_manifest, unregistered, watermark_of, watermarks
from headrace.lake.opening import arrow_filesystem, arrow_path, open_store
from headrace.landing import DataFile, ManifestName, watermark_key
from headrace.limits.lake import LATEST_FOLD_MANIFESTS

log = logging.getLogger(__name__)


class LatestKeeper:
    """Brings the state up to what is registered."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._store = open_store(lake)

    def reopen(self) -> None:
        """Read keys and credentials anew."""
        self._store = open_store(self._lake)

    def step(self) -> int:
        """Catch up; returns the number of readings that were looked at.

        Raises:
            LakeUnavailable: store or catalogue are away; the state is as it was.
        """
        table = load_readings(open_catalogue(self._lake)) if exists(self._lake) else None
        marks = watermarks(table.properties) if table is not None else {}
        if not marks:
            return 0
        state = self._load()
        if state is None:
            return self._make(table, marks)
        looked = 0
        while names := self._behind(state, marks):
            parts = self._read(names[:LATEST_FOLD_MANIFESTS])
            if parts is None:
                return looked + self._make(table, marks)
            state = _merged(state, names[:LATEST_FOLD_MANIFESTS], parts)
            save(self._store, state)
            looked += sum(part.num_rows for part in parts)
        return looked

    def _load(self) -> State | None:
        try:
            return load(self._store)
        except LakeUnavailable:
            raise
        except LakeError as error:
            log.warning("made again from the table: %s", error)
            return None

    def _behind(self, state: State, marks: dict[str, int]) -> list[ManifestName]:
        found = unregistered(self._store, state.marks)
        return [name for name in found if name.last <= watermark_of(marks, name)]

    def _read(self, names: Sequence[ManifestName]) -> list[pa.Table] | None:
        """What landed under these names; None where some of it is not there any more."""
        parts: list[pa.Table] = []
        for name in names:
            for file in self._files(name):
                data = self._store.get(file.path)
                if data is None:
                    return None
                try:
                    found = pq.read_table(io.BytesIO(data), columns=SCHEMA.names)
                    parts.append(found.select(SCHEMA.names))
                except (pa.ArrowException, KeyError, OSError) as error:
                    _say_left_out(f"{file.path}: {error}")
        return parts

    def _files(self, name: ManifestName) -> tuple[DataFile, ...]:
        try:
            return read_manifest(self._store, name).files
        except LakeUnavailable:
            raise
        except LakeError as error:
            _say_left_out(error)
            return ()

    def _make(self, table: Any, marks: dict[str, int]) -> int:
        """From all files of the table, which holds exactly what its watermarks say."""
        looked, rows = 0, SCHEMA.empty_table()
        for part in self._row_groups(table):
            rows = merge([rows, newest(part)])
            looked += part.num_rows
        save(self._store, State(marks, rows))
        return looked

    def _row_groups(self, table: Any) -> Iterator[pa.Table]:
        files = arrow_filesystem(self._lake)
        with catalogue_errors("plan the scan"):
            paths = [arrow_path(task.file.file_path) for task in table.scan().plan_files()]
        for path in paths:
            try:
                with files.open_input_file(path) as source:
                    file = pq.ParquetFile(source)
                    for batch in range(file.num_row_groups):
                        yield file.read_row_group(batch, columns=SCHEMA.names)
            except (OSError, pa.ArrowException) as error:
                raise LakeUnavailable(f"{path}: cannot be read: {error}") from error


def _say_left_out(why: object) -> None:
    """The registrar has said what is wrong with it, and left it out of the table."""
    log.info("left out of the newest readings: %s", why)


def _merged(state: State, names: Sequence[ManifestName], parts: list[pa.Table]) -> State:
    reached = dict(state.marks)
    for name in names:
        key = watermark_key(name.site, name.journal)
        reached[key] = max(reached.get(key, 0), name.last)
    return State(reached, merge([state.rows, *map(newest, parts)]))
