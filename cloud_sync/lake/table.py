"""The table port, and its implementation on pyiceberg.

``add`` is one commit: files and watermarks together, or neither. It never tries again by itself:
pyiceberg's own retry would append the same files on top of another registrar's commit of them, so
``commit.retry.num-retries`` is 0 in the table, and is put back where someone has changed it; the
registrar reads the watermarks again and decides. The snapshot that the watermarks were read with is a
requirement of every commit, also of one without files: else a slow registrar could set a watermark
back, and what lies behind it would be registered a second time.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table, Transaction
from pyiceberg.table.update import SetPropertiesUpdate
from pyiceberg.transforms import DayTransform
from pyiceberg.types import DoubleType, LongType, NestedField, StringType, TimestamptzType

from cloud_sync.lake import history
from cloud_sync.lake.record import TableState
from cloud_sync.lake.restoring import put_back, set_forward
from cloud_sync.lake.snapshots import expire
from headrace.catalog.evolution import columns_properties, evolve
from headrace.catalog.schemas import described
from headrace.errors import FilesRefused, LakeError, MetadataLost
from headrace.lake.catalogue import (
    READINGS,
    catalogue_errors,
    create_table,
    load_readings,
    open_catalogue,
)
from headrace.lake.config import Lake
from headrace.lake.manifests import watermarks
from headrace.limits.lake import FOOTER_MAX_BYTES

log = logging.getLogger(__name__)

_TIME_ID: Final = 4

#: Bytes at the end of a Parquet file: the footer's length and the magic number.
_FOOTER_END: Final = 8

READINGS_COLUMNS: Final = described(
    "readings",
    Schema(
        NestedField(1, "site", StringType(), required=True),
        NestedField(2, "device", StringType(), required=True),
        NestedField(3, "name", StringType(), required=True),
        NestedField(_TIME_ID, "time", TimestamptzType(), required=True),
        NestedField(5, "value", DoubleType()),
        NestedField(6, "text", StringType()),
        NestedField(7, "unit", StringType()),
        NestedField(8, "stream", StringType(), required=True),
        NestedField(9, "seq", LongType(), required=True),
        NestedField(10, "received", TimestamptzType(), required=True),
        NestedField(11, "clock", StringType()),
    ),
)

READINGS_PARTITIONS: Final = PartitionSpec(
    PartitionField(source_id=_TIME_ID, field_id=1000, transform=DayTransform(), name="day")
)

_NO_RETRY: Final = "commit.retry.num-retries"

_PROPERTIES: Final = {
    _NO_RETRY: "0",
    # Each commit writes a small manifest file; without merging a scan opens all of them.
    "commit.manifest-merge.enabled": "true",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    # The files hold statistics of these columns only (cloud_sync.landing.parquet).
    "write.metadata.metrics.default": "none",
    **{
        f"write.metadata.metrics.column.{name}": "truncate(64)"
        for name in ("site", "device", "name", "time", "received")
    },
    **columns_properties("readings"),
}


class ReadingsTable(ABC):
    """What the registrar needs of the table ``headrace.readings``."""

    @abstractmethod
    def watermarks(self) -> dict[str, int]:
        """As they are now, read again from the catalogue; empty before the table exists."""

    @abstractmethod
    def add(self, uris: Sequence[str], marks: Mapping[str, int]) -> None:
        """Add data files and set watermarks in one commit.

        Raises:
            LakeUnavailable: it may have happened or not; read the watermarks to know.
            FilesRefused: nothing was done, because of the files; fewer of them may be taken.
        """

    @abstractmethod
    def state(self) -> TableState | None:
        """The table as ``watermarks`` or a commit has seen it; None where there was none."""

    @abstractmethod
    def follows(self, known: TableState) -> bool:
        """Whether its snapshot was made from that of an earlier state."""

    @abstractmethod
    def bring_up(self) -> None:
        """Give a table of an older version the columns and comments of this one; its files stay.

        Raises:
            LakeNewer: it is of a version that this program must not write to.
        """

    @abstractmethod
    def restore(self, known: TableState, *, over: bool = False, older: bool = False) -> TableState:
        """Bring back a table that was dropped or set back, to what is on record of it.

        Args:
            known: the record.
            over: also where others have written to it since; what they wrote is out of it then.
            older: where metadata that has what is on record is lost, to the newest that is there.

        Raises:
            LakeError: what is lost is not to be found. UsageError: others have written to it.
        """

    @abstractmethod
    def columns(self) -> pa.Schema:
        """The table's columns as they are now, or as they would be made."""

    @abstractmethod
    def files(self) -> dict[str, int]:
        """Sizes of the data files that the table consists of, by their addresses."""

    @abstractmethod
    def footer(self, uri: str, *, size: int | None = None) -> pq.FileMetaData:
        """What a Parquet file says of itself at its end.

        Raises:
            LakeError: it is no Parquet file, not there or, where one is given, not of that size.
        """

    @abstractmethod
    def expire(self, keep: int) -> None:
        """Forget all but the newest ``keep`` snapshots; a few more may stay for a while."""


class IcebergReadings(ReadingsTable):
    """The table in an Iceberg catalogue; made with the first registration."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._opened: Catalog | None = None
        self._table: Table | None = None

    def watermarks(self) -> dict[str, int]:
        self._table = load_readings(self._catalogue())
        return {} if self._table is None else watermarks(self._table.properties)

    def add(self, uris: Sequence[str], marks: Mapping[str, int]) -> None:
        table = self._table or self._create()
        self._never_retry(table)
        properties = {key: str(mark) for key, mark in marks.items()}
        with catalogue_errors("commit"):
            if not uris:
                self._catalogue().commit_table(
                    table, history.as_it_is(table), (SetPropertiesUpdate(updates=properties),)
                )
                return
            with table.transaction() as change:
                _add_files(change, uris)
                change.set_properties(properties)

    def state(self) -> TableState | None:
        return None if self._table is None else history.state_of(self._table.metadata)

    def follows(self, known: TableState) -> bool:
        return self._table is None or history.follows(self._table.metadata, known)

    def bring_up(self) -> None:
        if self._table is not None and evolve(self._table, READINGS_COLUMNS):
            self._table = load_readings(self._catalogue())

    def restore(self, known: TableState, *, over: bool = False, older: bool = False) -> TableState:
        catalogue = self._catalogue()
        try:
            table = load_readings(catalogue)
        except MetadataLost:
            table = None
        if table is None:
            table = put_back(catalogue, self._lake, known, older=older)
        else:
            set_forward(catalogue, table, known, over=over)
            with catalogue_errors("read the table back"):
                table.refresh()
        self._table = table
        return history.state_of(table.metadata)

    def columns(self) -> pa.Schema:
        schema = READINGS_COLUMNS if self._table is None else self._table.schema()
        return schema.as_arrow()

    def files(self) -> dict[str, int]:
        table = load_readings(self._catalogue())
        if table is None:
            return {}
        with catalogue_errors("list the table's files"):
            tasks = table.scan().plan_files()
            return {task.file.file_path: task.file.file_size_in_bytes for task in tasks}

    def footer(self, uri: str, *, size: int | None = None) -> pq.FileMetaData:
        with catalogue_errors(f"read {uri}"):
            file = self._files().new_input(uri)
            if size is not None and not file.exists():
                raise LakeError(f"{uri}: no object")
            found = len(file)
            if size is not None and found != size:
                raise LakeError(f"{uri}: expected {size} bytes, got {found}")
            with file.open() as stream:
                stream.seek(max(found - _FOOTER_END, 0))
                length = int.from_bytes(stream.read(_FOOTER_END)[:4], "little")
                if length > FOOTER_MAX_BYTES:
                    raise LakeError(
                        f"{uri}: expected a footer of {FOOTER_MAX_BYTES} bytes at most, got {length}"
                    )
                stream.seek(max(found - length - _FOOTER_END, 0))
                end = stream.read()
        try:
            return pq.read_metadata(pa.BufferReader(b"PAR1" + end))
        except (pa.ArrowException, OSError) as error:
            raise LakeError(f"{uri}: not a Parquet file: {error}") from error

    def _never_retry(self, table: Table) -> None:
        if table.properties.get(_NO_RETRY) == _PROPERTIES[_NO_RETRY]:
            return
        log.warning("someone has changed the table's %s; it is put back", _NO_RETRY)
        with catalogue_errors("put a property back"), table.transaction() as change:
            change.set_properties({_NO_RETRY: _PROPERTIES[_NO_RETRY]})

    def _files(self) -> FileIO:
        if self._table is not None:
            return self._table.io
        catalogue = self._catalogue()
        return load_file_io(catalogue.properties)

    def expire(self, keep: int) -> None:
        if self._table is not None:
            expire(self._table, keep)

    def _catalogue(self) -> Catalog:
        if self._opened is None:
            self._opened = open_catalogue(self._lake)
        return self._opened

    def _create(self) -> Table:
        self._table = create_table(
            self._catalogue(), self._lake, READINGS, READINGS_COLUMNS,
            partition_spec=READINGS_PARTITIONS, properties=_PROPERTIES,
        )  # fmt: skip
        return self._table


def _add_files(change: Transaction, uris: Sequence[str]) -> None:
    """pyiceberg looks into each file and refuses all of them for one (``footer`` should have found it)."""
    try:
        change.add_files(list(uris), check_duplicate_files=False)
    except (ValueError, NotImplementedError, pa.ArrowException) as error:
        raise FilesRefused(
            f"the table does not take {len(uris)} files, {uris[0]} the first: {error}"
        ) from error
