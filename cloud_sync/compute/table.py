"""The Iceberg table of a target: made, read, and replaced day by day.

What is remembered of the days (``days``) stands in the table's properties and is set in the commit that brings
their rows: both, or neither. A commit asks that the day is still as it was when the run looked, so of two runs
at once one wins, and no row is there twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    NoSuchNamespaceError,
    NoSuchTableError,
)
from pyiceberg.table import Table

from cloud_sync.compute.days import (
    DataFile,
    Done,
    Region,
    Source,
    read_done,
    versions_by_rows,
    write_done,
)
from cloud_sync.compute.files import files_of
from cloud_sync.compute.targets import READINGS, Target
from cloud_sync.maintain.iceberg import LostRaceError, Marks, replace
from cloud_sync.maintain.runs import File
from headrace.errors import CommitConflict, UsageError
from headrace.lake.catalogue import NAMESPACE, catalogue_errors, create_table
from headrace.lake.config import Lake

_DEFINITION: Final = "headrace.compute.definition"
_LAST: Final = "headrace.compute.last"

_PROPERTIES: Final = {
    # As in readings: pyiceberg's own retry would add the same files on top of another run's.
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.metadata.metrics.default": "none",
    **{
        f"write.metadata.metrics.column.{name}": "truncate(64)"
        for name in ("site", "device", "name", "time")
    },
}


class LastRun(msgspec.Struct, frozen=True):
    """When a table was computed last, and by what."""

    at_us: int
    engine: str


class ComputedTable:
    """A target's table; made with its first rows."""

    def __init__(self, catalogue: Catalog, lake: Lake, target: Target) -> None:
        self.target = target
        self._catalogue = catalogue
        self._lake = lake
        self._table = load(catalogue, target.name)
        if self._table is not None:
            self._check(self._table)

    @property
    def iceberg(self) -> Table:
        """The table; made where it is not there.

        Raises:
            LakeUnavailable: the catalogue is away.
        """
        if self._table is None:
            self._table = self._create()
            self._check(self._table)
        return self._table

    def refresh(self) -> None:
        """Look again at what others have committed."""
        self._table = load(self._catalogue, self.target.name)

    @property
    def done(self) -> dict[int, Done]:
        return {} if self._table is None else read_done(self._table.properties)

    @property
    def last(self) -> LastRun | None:
        text = "" if self._table is None else self._table.properties.get(_LAST, "")
        return msgspec.json.decode(text, type=LastRun) if text else None

    def files(self) -> list[DataFile]:
        return [] if self._table is None else files_of(self._table)

    def commit(
        self, region: Region, gone: Sequence[DataFile], come: Sequence[str], last: LastRun
    ) -> None:
        """The rows of a region, instead of those in the files that go.

        Raises:
            LostRaceError: another process was faster. LakeUnavailable: it may have happened or not.
        """
        files = [File(each.uri, each.bytes, each.rows) for each in gone]
        told = {_LAST: msgspec.json.encode(last).decode()}
        self._replace(files, come, {region.day: region.done}, told)

    def settle(self, days: Mapping[int, Done]) -> None:
        """Remember other things of days whose rows are right.

        Raises:
            LostRaceError: another process was faster. LakeUnavailable
        """
        self._replace([], [], days, {})

    def _replace(
        self, gone: list[File], come: Sequence[str], days: Mapping[int, Done], told: dict[str, str]
    ) -> None:
        table = self.iceberg
        after = write_done(read_done(table.properties), days)
        marks = Marks({key: table.properties.get(key) for key in after}, after | told)
        try:
            replace(table, gone, come, why="compute", marks=marks)
        except NoSuchTableError as error:  # somebody has dropped it meanwhile
            raise LostRaceError from error

    def _create(self) -> Table:
        name = (NAMESPACE, self.target.name)
        try:
            return create_table(
                self._catalogue, self._lake, name, self.target.schema,
                partition_spec=self.target.partitions,
                properties={
                    **_PROPERTIES, _DEFINITION: self.target.definition,
                    "comment": self.target.comment,
                },
            )  # fmt: skip
        except CommitConflict:
            with catalogue_errors(f"load the table {self.target.name}"):
                return self._catalogue.load_table(name)

    def _check(self, table: Table) -> None:
        said = table.properties.get(_DEFINITION)
        if said != self.target.definition:
            raise UsageError(
                f"table {NAMESPACE}.{self.target.name} is there and is made otherwise: it says "
                f"{said or 'nothing'}, asked for is {self.target.definition}",
                hint=f"give the job another name, or cloud-sync compute drop {self.target.name}: it is made again",
            )


def load(catalogue: Catalog, name: str) -> Table | None:
    """A table of the lake; None where it is not there."""
    with catalogue_errors(f"load the table {name}"):
        try:
            return catalogue.load_table((NAMESPACE, name))
        except (NoSuchTableError, NoSuchNamespaceError):
            return None


def computed(catalogue: Catalog) -> list[str]:
    """The tables that some job has made, whether there still is one that makes it."""
    with catalogue_errors("list tables"):
        try:
            names = [str(path[-1]) for path in catalogue.list_tables(NAMESPACE)]
        except NoSuchNamespaceError:
            return []
    return [name for name in sorted(names) if is_computed(load(catalogue, name))]


def is_computed(table: Table | None) -> bool:
    """Whether some job has made it."""
    return table is not None and _DEFINITION in table.properties


def source_of(catalogue: Catalog, target: Target, kept_from: int | None = None) -> Source:
    """What a target is made of, as it is now; ``kept_from``: the first day that retention does not take."""
    table = load(catalogue, target.source)
    snapshot = None if table is None else table.current_snapshot()
    if table is None or snapshot is None:
        return Source((), {}, 0)
    files = files_of(table)
    sequence = snapshot.sequence_number or 0
    if target.source == READINGS:
        return Source(files, versions_by_rows(files), sequence, kept_from=kept_from)
    computed = read_done(table.properties)
    stamps = {day: each.stamp for day, each in computed.items()}
    return Source(files, stamps, sequence, computed, kept_from)
