"""Bringing a table of an older version up to date, without rewriting a file of it.

Each table says, as a property, which version of its columns it has, and which is the oldest that may write
to it::

    headrace.columns          "1"    the version that has brought it up to date last
    headrace.columns.oldest   "1"    a program that knows less must not write

A newer program adds the columns that are missing (optional ones: old files read as null there), widens
numbers, and writes its comments; that is one commit of metadata. An older program that meets a newer table goes on
as long as the table allows it, since it writes none of the columns that it does not know; beyond that it refuses, before
anything is written. It never takes comments or columns back, so that two versions do not fight over them.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from pyiceberg.exceptions import ValidationError
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import NestedField

from headrace.catalog.words import words_of
from headrace.errors import LakeError, LakeNewer
from headrace.lake.catalogue import catalogue_errors

log = logging.getLogger(__name__)

#: Of the tables' columns as this program knows them; raised with each column that is added.
VERSION: Final = 1

#: Raised when a program that does not know a column would write wrong rows.
OLDEST: Final = 1

VERSION_KEY: Final = "headrace.columns"
OLDEST_KEY: Final = "headrace.columns.oldest"


def columns_properties(table: str) -> dict[str, str]:
    """Properties of a table that is made by this version."""
    return {
        VERSION_KEY: str(VERSION), OLDEST_KEY: str(OLDEST), "comment": words_of(table).comment,
    }  # fmt: skip


def check_writable(table: Table) -> None:
    """Whether this program may write to the table.

    Raises:
        LakeNewer: it is of a version that this program must not write to.
    """
    oldest = _number(table, OLDEST_KEY)
    if oldest > VERSION:
        raise LakeNewer(
            f"table {'.'.join(table.name())}: only programs that know version {oldest} of its columns may "
            f"write to it, this one knows {VERSION}",
            hint="update Headrace here; what is landed waits",
        )


def evolve(table: Table, wanted: Schema, *, version: int = VERSION) -> bool:
    """Add what a table lacks; whether there was anything to do.

    Raises:
        LakeError: it must not be written to, or has a column of another type.
        LakeUnavailable: somebody else changed it at the same time; the next time finds it well.
    """
    check_writable(table)
    if _number(table, VERSION_KEY) >= version:
        return False
    name = table.name()[-1]
    with catalogue_errors(f"evolve {name}"), table.transaction() as change:
        try:
            with change.update_schema() as columns:
                for field in wanted.fields:
                    _bring_up(columns, table.schema(), field)
        except (ValidationError, ValueError) as error:
            raise LakeError(
                f"table {'.'.join(table.name())} cannot be evolved: {error}",
                hint="put back what somebody has changed",
            ) from error
        change.set_properties(columns_properties(name) | {VERSION_KEY: str(version)})
    log.info("table %s has version %d of its columns now", name, version)
    return True


def _bring_up(change: Any, known: Schema, wanted: NestedField) -> None:
    try:
        found = known.find_field(wanted.name)
    except ValueError:
        change.add_column(wanted.name, wanted.field_type, doc=wanted.doc)
        return
    is_wider = found.field_type.is_primitive and found.field_type != wanted.field_type
    if not found.field_type.is_primitive and type(found.field_type) is not type(wanted.field_type):
        raise ValueError(
            f"column {wanted.name}: expected {wanted.field_type}, got {found.field_type}"
        )
    change.update_column(
        wanted.name, field_type=wanted.field_type if is_wider else None, doc=wanted.doc
    )


def _number(table: Table, key: str) -> int:
    """A version that a table says; 0 where it is older than versions, or says nonsense."""
    said = table.properties.get(key, "")
    return int(said) if said.isdecimal() else 0
