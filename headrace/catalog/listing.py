"""What the Iceberg catalogue says of the lake's tables: from metadata alone, no data file is opened.

Rows, bytes and files stand in the newest snapshot's summary; comments and units with the columns. A table
of somebody else is listed like ours, with what it says of itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table as Iceberg
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot

from headrace.catalog.words import TABLES, VIEWS, Column, words_of
from headrace.errors import UsageError
from headrace.lake.catalogue import NAMESPACE, catalogue_errors
from headrace.lake.manifests import watermarks
from headrace.landing import parse_watermark_key

#: A comment that ends with a unit, as ``Column.comment`` writes it.
_UNIT_LAST: Final = re.compile(r"(?P<doc>.*\S) \[(?P<unit>[^\[\]]+)\]", re.DOTALL)


class Table(msgspec.Struct, frozen=True):
    """One table or view; numbers are null for views and where the writer did not say them."""

    name: str
    kind: str
    comment: str
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    snapshots: int | None = None
    changed: datetime | None = None


class TableColumn(msgspec.Struct, frozen=True):
    """One column."""

    name: str
    type: str
    required: bool
    comment: str
    unit: str


class Snapshot(msgspec.Struct, frozen=True):
    """One commit that is kept: what it did, and how many rows came and went."""

    id: int
    time: datetime
    operation: str
    why: str
    added_rows: int
    removed_rows: int
    total_rows: int | None


class Journal(msgspec.Struct, frozen=True):
    """How far a site's journal is registered."""

    site: str
    journal: str
    offset: int


class Details(msgspec.Struct, frozen=True):
    """One table in full; the newest snapshot first."""

    table: Table
    columns: tuple[TableColumn, ...]
    partitioned_by: tuple[str, ...] = ()
    location: str = ""
    columns_version: str = ""
    snapshots: tuple[Snapshot, ...] = ()
    journals: tuple[Journal, ...] = ()


def names(catalogue: Catalog | None) -> list[str]:
    """Tables of the lake, in order; ``readings`` first."""
    if catalogue is None:
        return []
    with catalogue_errors("list tables"):
        try:
            found = {str(path[-1]) for path in catalogue.list_tables(NAMESPACE)}
        except NoSuchNamespaceError:
            return []
    return sorted(found, key=lambda name: (name != "readings", name))


def listing(catalogue: Catalog | None) -> list[Table]:
    """All tables, then the views that are computed from them."""
    tables = [
        _summary(name, table)
        for name in names(catalogue)
        if catalogue is not None and (table := _load(catalogue, name)) is not None
    ]
    return [*tables, *(Table(name, "view", words.comment) for name, words in VIEWS.items())]


def details(catalogue: Catalog | None, name: str) -> Details:
    """One table or view in full.

    Raises:
        UsageError: there is none of that name.
    """
    table = _load(catalogue, name) if catalogue is not None else None
    if table is not None:
        return _of_table(name, table)
    words = VIEWS.get(name)
    if words is not None:
        columns = [
            TableColumn(each, "", False, of.doc, of.unit) for each, of in words.columns.items()
        ]
        return Details(Table(name, "view", words.comment), tuple(columns))
    known = ", ".join([*names(catalogue), *VIEWS])
    hint = "it is made when readings are registered" if name in TABLES else f"there are {known}"
    raise UsageError(f"no table {NAMESPACE}.{name}", hint=hint)


def _load(catalogue: Catalog, name: str) -> Iceberg | None:
    with catalogue_errors(f"load the table {name}"):
        try:
            return catalogue.load_table((NAMESPACE, name))
        except (NoSuchTableError, NoSuchNamespaceError):
            return None


def _summary(name: str, table: Iceberg) -> Table:
    said = _said(table.current_snapshot())
    comment = table.properties.get("comment") or words_of(name).comment
    return Table(
        name, "table", comment, rows=_integer(said, "total-records"),
        bytes=_integer(said, "total-files-size"), files=_integer(said, "total-data-files"),
        snapshots=len(table.snapshots()), changed=_moment(table.metadata.last_updated_ms),
    )  # fmt: skip


def _of_table(name: str, table: Iceberg) -> Details:
    words = words_of(name).columns
    newest_first = sorted(table.snapshots(), key=lambda each: -(each.sequence_number or 0))
    schema = table.schema()
    return Details(
        _summary(name, table),
        tuple(
            TableColumn(
                field.name, str(field.field_type), field.required,
                *_in_words(field.doc or "", words.get(field.name)),
            )
            for field in schema.fields
        ),
        tuple(
            f"{field.transform}({schema.find_column_name(field.source_id)})"
            for field in table.spec().fields
        ),
        table.location(), table.properties.get("headrace.columns", ""),
        tuple(map(_snapshot, newest_first)), tuple(_journals(table.properties)),
    )  # fmt: skip


def _in_words(comment: str, column: Column | None) -> tuple[str, str]:
    """What the table itself says of a column, and its unit; or ours where an older version has written none."""
    if column is None:
        said = _UNIT_LAST.fullmatch(comment)
        return (said["doc"], said["unit"]) if said else (comment, "")
    return (column.doc if comment in ("", column.comment) else comment), column.unit


def _snapshot(each: IcebergSnapshot) -> Snapshot:
    said = _said(each)
    operation = str(said.get("operation", "")).rpartition(".")[2].lower()
    return Snapshot(
        each.snapshot_id, _moment(each.timestamp_ms), operation, said.get("headrace.maintenance", ""),
        _integer(said, "added-records") or 0, _integer(said, "deleted-records") or 0,
        _integer(said, "total-records"),
    )  # fmt: skip


def _said(snapshot: IcebergSnapshot | None) -> Mapping[str, Any]:
    """A snapshot's summary; its writer need not have one."""
    summary = snapshot.summary if snapshot is not None else None
    if summary is None:
        return {}
    return {"operation": summary.operation, **summary.additional_properties}


def _journals(properties: Mapping[str, str]) -> Sequence[Journal]:
    marks = watermarks(properties)
    return [Journal(*parse_watermark_key(key), offset) for key, offset in sorted(marks.items())]


def _integer(said: Mapping[str, Any], key: str) -> int | None:
    value = str(said.get(key, ""))
    return int(value) if value.isdecimal() else None


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)
