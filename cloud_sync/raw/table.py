"""The Iceberg table of a replay: the columns of ``headrace.readings``, and how far it is.

What was asked for is written into the table when it is made, and each commit sets, beside its files, the
last raw file of each journal that is in it. So a replay that was killed goes on from the table alone, and
one with other arguments is refused instead of mixed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table

from cloud_sync.lake.table import READINGS_COLUMNS, READINGS_PARTITIONS
from headrace.errors import CommitConflict, UsageError
from headrace.lake.catalogue import (
    NAMESPACE,
    READINGS,
    catalogue_errors,
    create_table,
    open_catalogue,
)
from headrace.lake.config import Lake

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ASKED: Final = "headrace.replay"
_MARK: Final = "headrace.replayed."


class Asked(msgspec.Struct, frozen=True):
    """What a replay is of; times of arrival are microseconds since 1970 UTC, the last one exclusive."""

    first_us: int
    end_us: int
    site: str = ""
    devices: tuple[str, ...] = ()
    quarantined: bool = False


class ReplayTable:
    """A table that a replay fills."""

    def __init__(self, lake: Lake, name: str, asked: Asked) -> None:
        if not _NAME.fullmatch(name) or name == READINGS[1]:
            raise UsageError(f"--into: expected a new table's name of a-z, 0-9 and _, got {name!r}")
        self.name = name
        self._asked = asked
        self._lake = lake
        self._catalogue: Catalog = open_catalogue(lake)
        self._table = self._open()

    def marks(self) -> dict[str, int]:
        """The last number that is in the table, by ``mark_key``; read again from the catalogue."""
        self._table = self._open()
        return {
            key.removeprefix(_MARK): int(value)
            for key, value in self._table.properties.items()
            if key.startswith(_MARK)
        }

    def add(self, uris: Sequence[str], marks: Mapping[str, int]) -> None:
        """Files and how far they reach, in one commit.

        Raises:
            LakeUnavailable: it may have happened or not; ``marks`` says.
        """
        with catalogue_errors("commit"), self._table.transaction() as change:
            if uris:
                change.add_files(list(uris), check_duplicate_files=False)
            change.set_properties({_MARK + key: str(mark) for key, mark in marks.items()})

    def files(self) -> list[str]:
        """The addresses of the table's data files."""
        with catalogue_errors("plan the scan"):
            return [task.file.file_path for task in self._table.scan().plan_files()]

    def _open(self) -> Table:
        with catalogue_errors("open the replay's table"):
            try:
                table = self._catalogue.load_table((NAMESPACE, self.name))
            except (NoSuchTableError, NoSuchNamespaceError):
                table = self._create()
        said = table.properties.get(_ASKED, "")
        if said != self._said():
            raise UsageError(
                f"table {NAMESPACE}.{self.name} is there and is not of this replay: it says {said or 'nothing'}",
                hint="choose another name, or repeat the arguments to go on",
            )
        return table

    def _create(self) -> Table:
        name = (NAMESPACE, self.name)
        properties = {
            _ASKED: self._said(), "commit.retry.num-retries": "0",
            "commit.manifest-merge.enabled": "true",
        }  # fmt: skip
        try:
            return create_table(
                self._catalogue, self._lake, name, READINGS_COLUMNS,
                partition_spec=READINGS_PARTITIONS, properties=properties,
            )  # fmt: skip
        except CommitConflict:
            return self._catalogue.load_table(name)

    def _said(self) -> str:
        return msgspec.json.encode(self._asked).decode()


def mark_key(site: str, journal: str, *, quarantine: bool) -> str:
    """What a mark of a journal's raw files is called."""
    return f"{site}.{journal}" + (".quarantine" if quarantine else "")
