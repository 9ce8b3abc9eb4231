"""One compaction: record, merge, commit; safe against a kill between any two steps.

::

    1. record   what goes and where the new files will lie (cloud_sync.maintain.records)
    2. files    merged and written to the table's own folder; nobody reads them yet
    3. commit   the new files for the old ones, if those are all still there
    4. sweep    later, when no snapshot names them: the old files, then the record

Killed before 3, the table is as it was, and the sweep removes the new files after ``orphan_age_s``. Killed
after it, the sweep finds the old ones by the record. A commit whose answer was lost is read back; as long
as nobody knows, both kinds of files stay.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.table import Table

from cloud_sync.maintain import records
from cloud_sync.maintain.iceberg import LostRaceError, replace
from cloud_sync.maintain.merge import Merge, NotInOrderError, UnusableFileError
from cloud_sync.maintain.records import Record
from cloud_sync.maintain.runs import Choice, File, file_name, job_name
from cloud_sync.maintain.writer import arrow_schema, row_groups, write
from headrace.clock import Clock
from headrace.lake.store import Store
from headrace.limits.maintain import MERGE_LEVEL

#: Told how many more rows are written; answers whether to go on.
Progress = Callable[[int], bool]


class StoppedError(Exception):
    """The program ends; the compaction was given up."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How files are written."""

    target_bytes: int
    level: int


class Compaction:
    """Rewrites runs of one table."""

    def __init__(self, store: Store, table: Table, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._table = table
        self._settings = settings
        self._clock = clock

    def run(self, partition: str, choice: Choice, progress: Progress) -> int:
        """Merge the runs into one; returns the number of rows.

        Raises:
            LostRaceError: another process replaced the same files. LakeUnavailable: unknown, or not done.
            UnusableFileError: a file that has to stay as it is. StoppedError
        """
        gone = [file for run in choice.runs for file in run.files]
        record = self._begin(partition, choice, gone)
        come: list[str] = []
        try:
            self._write_all(record, choice, come, progress)
            replace(self._table, gone, come, why="compaction")
        except (LostRaceError, UnusableFileError, StoppedError):
            self._undo(record, come)
            raise
        return sum(file.rows for file in gone)

    def _write_all(
        self, record: Record, choice: Choice, come: list[str], progress: Progress
    ) -> None:
        """Write the files; ``come`` tells them also after a failure."""
        unsorted: frozenset[File] = frozenset()
        while True:
            try:
                written = 0
                for uri, rows in self._write(record, choice, unsorted):
                    if uri not in come:
                        come.append(uri)
                    written += rows
                    if not progress(rows):
                        raise StoppedError
            except NotInOrderError as error:
                if error.file in unsorted:
                    raise UnusableFileError(error.file, "overlaps others of its run") from error
                unsorted |= {error.file}
                self._delete(come)
            else:
                return _check_rows(choice, written)

    def _begin(self, partition: str, choice: Choice, gone: list[File]) -> Record:
        location = self._table.location_provider()
        record = Record(
            job_name(self._clock.now_us(), secrets.token_hex(4)), self._table.name()[-1],
            str(self._table.metadata.table_uuid), partition, tuple(file.uri for file in gone),
            location.new_data_location(partition).rstrip("/"), choice.is_dense,
        )  # fmt: skip
        records.put(self._store, record)
        return record

    def _write(
        self, record: Record, choice: Choice, unsorted: frozenset[File]
    ) -> Iterator[tuple[str, int]]:
        return write(
            self._table.io,
            row_groups(merged(self._table, choice, unsorted)),
            name=lambda number: address(record, number),
            target_bytes=self._settings.target_bytes,
            level=self._settings.level if choice.is_dense else MERGE_LEVEL,
        )

    def _undo(self, record: Record, come: list[str]) -> None:
        """Nothing was committed: what was written goes at once, and then the record."""
        self._delete(come)
        with suppress(OSError):
            self._table.io.delete(self._store.uri(record.path))

    def _delete(self, come: list[str]) -> None:
        """The last file first: the sweep looks for them in order, from the first on."""
        while come:
            with suppress(OSError):
                self._table.io.delete(come.pop())


def merged(
    table: Table, choice: Choice, unsorted: frozenset[File] = frozenset()
) -> Iterator[pa.Table]:
    """The rows of the runs in order."""
    schema = arrow_schema(table.schema())
    return Merge(table.io, schema, choice.runs, unsorted=unsorted).tables()


def _check_rows(choice: Choice, written: int) -> None:
    """Whatever goes wrong in a merge: other rows than before are never committed."""
    expected = sum(run.rows for run in choice.runs)
    if written != expected:
        first = choice.runs[0].files[0]
        raise UnusableFileError(first, f"its merge has {written} rows instead of {expected}")


def address(record: Record, number: int) -> str:
    """Where the n-th file of a rewriting lies."""
    return f"{record.folder}/{file_name(record.job, number, is_dense=record.is_dense)}"
