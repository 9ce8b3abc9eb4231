"""What there is to read, each reading in exactly one place, while gateway and cloud_sync go on.

A reading moves from the journal to a landed file to a registered file, and the gateway prunes the
journal behind it. Nothing is locked; it is the order of looking that counts:

1. the **journal**, as one SQLite read transaction that stays open to the end;
2. the **names of the manifests**;
3. the **table**, with the watermarks that were committed with its files.

A reading only ever moves forward along this path, and we look from its start to its end, so none
slips past us: what had left the journal before (1) is in a manifest by (2), because the manifest is
put before the cursor moves; what left the unregistered manifests between (2) and (3) is in the table.
And none is read twice, because one place decides for each journal where the others begin: manifests
up to the watermark of (3) are skipped, and the tail starts behind both the watermark and the last
manifest of (2). What landed after (2) and was not registered by (3) is still in the tail of (1).

Files of readings with odd times are looked for last, and count where their manifest was seen before.

A manifest that overlaps the watermark cannot come from cloud_sync; it is left out with a note, as
is one that does not check out: a data file is what its manifest says or does not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.errors import LakeError, LakeUnavailable, QueryError
from headrace.journal import JournalReader
from headrace.lake.catalogue import catalogue_errors, exists, load_readings, open_catalogue
from headrace.lake.config import Lake
from headrace.lake.manifests import (
    odd_files,
    read_manifest,
    unregistered,
    watermark_of,
    watermarks,
)
from headrace.lake.opening import open_store
from headrace.lake.readings import READINGS_SCHEMA, to_table
from headrace.lake.store import Store
from headrace.landing import ManifestName
from headrace.limits.lake import QUERY_TAIL_MAX_BYTES, QUERY_TAIL_MAX_ROWS


@dataclass(frozen=True, slots=True)
class Sources:
    """Parquet files by their addresses, and the journal's tail as columns.

    ``notes`` say what had to be left out.
    """

    files: tuple[str, ...]
    tail: pa.Table
    notes: tuple[str, ...] = ()


def collect(lake: Lake, journal: Path | None) -> Sources:
    """Look at everything, in the order that the module's docstring gives reasons for.

    Raises:
        LakeError: the store or the catalogue does not answer.
        StorageError: the journal cannot be read.
    """
    store = open_store(lake)
    with ExitStack() as open_until_read:
        reader = None
        if journal is not None and journal.exists():
            reader = open_until_read.enter_context(JournalReader(journal))
            open_until_read.enter_context(reader.snapshot())
            reader.head()  # the first read fixes the snapshot
        catalogue = open_catalogue(lake) if exists(lake) else None
        before = load_readings(catalogue) if catalogue is not None else None
        # Where to start listing only: these watermarks are older than the names and decide nothing.
        names = unregistered(store, watermarks(before.properties) if before else {})
        table = load_readings(catalogue) if catalogue is not None else None
        marks = watermarks(table.properties) if table else {}
        landed, notes = _landed_files(store, names, marks)
        registered = _registered_files(table)
        odd = _odd_files(store, names, marks)
        tail = _tail(reader, names, marks) if reader else READINGS_SCHEMA.empty_table()
    return Sources((*registered, *landed, *odd), tail, tuple(notes))


def _registered_files(table: Any) -> list[str]:
    if table is None:
        return []
    with catalogue_errors("plan the scan"):
        tasks = list(table.scan().plan_files())
    if any(task.delete_files for task in tasks):
        raise QueryError(
            "the table has delete files, which headrace query does not read",
            hint="rewrite the table with an engine that wrote them, or query it with that engine",
        )
    return [task.file.file_path for task in tasks]


def _landed_files(
    store: Store, names: Sequence[ManifestName], marks: Mapping[str, int]
) -> tuple[list[str], list[str]]:
    files: list[str] = []
    notes: list[str] = []
    for name in names:
        mark = watermark_of(marks, name)
        if name.last <= mark:
            continue
        try:
            if name.first <= mark:
                raise LakeError(f"manifest {name.path}: overlaps what is registered up to {mark}")
            manifest = read_manifest(store, name)
        except LakeUnavailable:
            raise
        except LakeError as error:
            notes.append(f"left out: {error.message}")
        else:
            files += [store.uri(file.path) for file in manifest.files]
    return files, notes


def _odd_files(store: Store, names: Sequence[ManifestName], marks: Mapping[str, int]) -> list[str]:
    """Files of odd times whose manifests were seen; of later ones the readings are in the tail."""
    return [
        store.uri(file.path)
        for file in odd_files(store)
        if file.last <= _landed_up_to(file, names, marks)
    ]


def _landed_up_to(
    own: ManifestName, names: Sequence[ManifestName], marks: Mapping[str, int]
) -> int:
    """The last offset of a journal that is in a manifest or in the table."""
    landed = [name.last for name in names if (name.site, name.journal) == (own.site, own.journal)]
    return max([watermark_of(marks, own), *landed])


def _tail(
    reader: JournalReader, names: Sequence[ManifestName], marks: Mapping[str, int]
) -> pa.Table:
    after = _landed_up_to(ManifestName(reader.site, reader.journal_id, 0, 0, ""), names, marks)
    rows = reader.read(after, max_rows=QUERY_TAIL_MAX_ROWS, max_bytes=QUERY_TAIL_MAX_BYTES)
    if rows and rows[-1].offset < reader.head():
        raise QueryError(
            f"the journal has more than {sum(row.rows for row in rows)} readings that have not "
            "landed, which is more than a query takes into memory",
            hint="run cloud-sync once, then ask again",
        )
    return to_table(reader.site, rows)
