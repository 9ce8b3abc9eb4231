"""What the view ``series`` is made of: the table that is kept (``headrace.lake.series``), what landed behind it, the
readings with odd times, which it does not count, and the journal's tail.

It is the look of ``sources``, with that table in the place of the readings'. Then the sums are compared: where the
table of readings has another number of rows than what is kept and what was registered since, somebody has removed
or added some, and the view counts all readings, as it does before the first table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table

from headrace.errors import LakeError
from headrace.lake.catalogue import load_readings
from headrace.lake.config import Lake
from headrace.lake.manifests import watermark_of, watermarks
from headrace.lake.opening import open_store
from headrace.lake.series import Coverage, coverage, load, rows_of
from headrace.lake.store import Store
from headrace.landing import parse_data_name
from headrace.query.predicate import ANYTHING, Predicate, only
from headrace.query.sources import File, Sources, collect_behind, registered_files

#: Looks before the view counts: between two steps of a look the registrar may have committed.
_LOOKS: Final = 2


@dataclass(frozen=True, slots=True)
class Series:
    """Files of the table that is kept, in columns of ``schema``, and the readings that are not in it."""

    schema: pa.Schema
    files: Sequence[File]
    skipped: int
    since: Sources


def collect_series(
    lake: Lake, journal: Path | None, catalogue: Catalog | None, wanted: Predicate = ANYTHING
) -> Series | None:
    """The parts of the view; None where all readings must be counted.

    Raises:
        LakeError: store or catalogue do not answer. StorageError: the journal cannot be read.
    """
    if catalogue is None:
        return None
    store = open_store(lake)
    for _ in range(_LOOKS):
        table = load(catalogue)
        if table is None or coverage(table.properties) is None:
            return None
        found = _look(store, journal, catalogue, wanted)
        if found is not None:
            return found
    return None


def _look(
    store: Store, journal: Path | None, catalogue: Catalog, wanted: Predicate
) -> Series | None:
    def covered() -> tuple[Mapping[str, int], tuple[Table, Coverage]]:
        table = load(catalogue)
        known = coverage(table.properties) if table is not None else None
        if table is None or known is None:
            raise LakeError("the table of series has gone while it was looked at", hint="ask again")
        return known.marks, (table, known)

    # Of all sites: what was registered since is added up.
    of_device = only(wanted, frozenset({"device", "name"}))
    since, (table, known) = collect_behind(store, journal, of_device, covered)
    readings = load_readings(catalogue)
    if readings is None or not _is_whole(store, since.files, known, readings):
        return None
    files, skipped = registered_files(table, only(wanted, frozenset({"site", "device", "name"})))
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)
    return Series(schema, files, skipped, since)


def _is_whole(store: Store, since: Sequence[File], known: Coverage, readings: Table) -> bool:
    """Whether what is kept and what was registered since is all that is registered, and is still there."""
    marks = watermarks(readings.properties)
    registered = [
        file
        for file in since
        if file.origin == "landed"
        and (name := parse_data_name(file.uri)) is not None
        and name.last <= watermark_of(marks, name)
    ]
    total = known.total + sum(file.rows or 0 for file in registered)
    return total == rows_of(readings) and _are_there(store, [file.uri for file in registered])


def _are_there(store: Store, uris: Sequence[str]) -> bool:
    """Compaction removes landed files, some time after they were registered."""
    root = store.uri("")
    paths = {uri.removeprefix(root) for uri in uris}
    first: dict[str, str] = {}
    for path in sorted(paths):
        first.setdefault(path.rpartition("/")[0], path)
    # From just before the first on: a folder has all manifests of a journal's life.
    there = {
        name for folder, path in first.items() for name in store.names(folder, after=path[:-1])
    }
    return paths <= there
