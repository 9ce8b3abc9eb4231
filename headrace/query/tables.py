"""Other tables of the lake than readings: derived ones, as views of their own names.

They are what somebody has computed and committed (rollups, features, the catalogue of series), so they
are as old as that; ``readings`` and what is computed from it at the time of asking are not. Where a
derived table has the name of a computed view, the computed one is meant, and ``lake.<name>`` the table.

A table whose columns changed is read by their names: a column that an old file lacks is null there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.io.pyarrow import schema_to_pyarrow

from headrace.lake.catalogue import NAMESPACE, READINGS, catalogue_errors
from headrace.query.statement import EVERY
from headrace.query.views import LAKE


@dataclass(frozen=True, slots=True)
class Derived:
    """One table as it is now."""

    name: str
    schema: pa.Schema
    table: Any


def derived(catalogue: Catalog | None, wanted: frozenset[str]) -> list[Derived]:
    """The tables of these names that there are, in order; all with ``EVERY`` among the names.

    Raises:
        LakeError: the catalogue does not answer.
    """
    if catalogue is None or not wanted:
        return []
    with catalogue_errors("list tables"):
        try:
            names = sorted(str(path[-1]) for path in catalogue.list_tables(NAMESPACE))
        except NoSuchNamespaceError:
            return []
    chosen = [name for name in names if name != READINGS[1] and _is_wanted(name, wanted)]
    return [found for name in chosen if (found := _load(catalogue, name)) is not None]


def _is_wanted(name: str, wanted: frozenset[str]) -> bool:
    return not wanted.isdisjoint({EVERY, name.lower(), f"{LAKE}.{name.lower()}"})


def _load(catalogue: Catalog, name: str) -> Derived | None:
    with catalogue_errors(f"load the table {name}"):
        try:
            table = catalogue.load_table((NAMESPACE, name))
        except NoSuchTableError:  # dropped since it was listed
            return None
        return Derived(name, schema_to_pyarrow(table.schema(), include_field_ids=False), table)
