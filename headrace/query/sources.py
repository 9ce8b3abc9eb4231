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

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import pyarrow as pa
from pyiceberg.catalog import Catalog

from headrace.errors import LakeError, LakeUnavailable, QueryError
from headrace.journal import JournalReader
from headrace.lake.catalogue import catalogue_errors, exists, load_readings, open_catalogue
from headrace.lake.config import Lake
from headrace.lake.manifests import (
    asked_again,
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
from headrace.limits.query import QUERY_TAIL_MAX_BYTES, QUERY_TAIL_MAX_ROWS
from headrace.query.predicate import (
    ANYTHING,
    NOTHING,
    Bounds,
    Predicate,
    may_hold,
    to_iceberg,
)

Origin = Literal["registered", "landed", "odd"]

T = TypeVar("T")
Covered = tuple[Mapping[str, int], T]


@dataclass(frozen=True, slots=True)
class File:
    """A Parquet file: its address, and what is known of it without opening it."""

    uri: str
    origin: Origin
    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """Parquet files, and the journal's tail as columns.

    ``skipped`` counts files that cannot hold what is wanted; ``notes`` say what had to be left out.
    """

    files: tuple[File, ...]
    tail: pa.Table
    notes: tuple[str, ...] = ()
    skipped: int = 0


def collect(
    lake: Lake,
    journal: Path | None,
    wanted: Predicate = ANYTHING,
    catalogue: Catalog | None = None,
) -> Sources:
    """Look at everything that is wanted, in the order that the module's docstring gives reasons for.

    Args:
        catalogue: of this lake, where it is open already.

    Raises:
        LakeError: the store or the catalogue does not answer.
        StorageError: the journal cannot be read.
    """

    def covered() -> tuple[Mapping[str, int], Any]:
        nonlocal catalogue
        if catalogue is None and exists(lake):
            catalogue = open_catalogue(lake)
        table = load_readings(catalogue) if catalogue is not None else None
        return (watermarks(table.properties) if table else {}), table

    behind, table = collect_behind(open_store(lake), journal, wanted, covered)
    registered, skipped = registered_files(table, wanted)
    return replace(behind, files=(*registered, *behind.files), skipped=skipped + behind.skipped)


def collect_behind(
    store: Store, journal: Path | None, wanted: Predicate, covered: Callable[[], Covered[T]]
) -> tuple[Sources, T]:
    """What lies between the end of something and the journal's head.

    Args:
        covered: reads how far that something goes, in the terms of watermarks, and the thing itself.
    """
    with ExitStack() as open_until_read:
        reader = None
        if journal is not None and journal.exists():
            reader = open_until_read.enter_context(JournalReader(journal))
            open_until_read.enter_context(reader.snapshot())
            reader.head()  # the first read fixes the snapshot
        # Where to start listing only: these marks are older than the names and decide nothing.
        names = unregistered(store, covered()[0])
        marks, thing = covered()
        landed, notes = _landed_files(store, names, marks)
        odd = _odd_files(store, names, marks)
        tail = _tail(reader, names, marks, wanted) if reader else READINGS_SCHEMA.empty_table()
    kept = [file for file, bounds in landed if may_hold(wanted, bounds)]
    return Sources((*kept, *odd), tail, tuple(notes), len(landed) - len(kept)), thing


def registered_files(table: Any, wanted: Predicate = ANYTHING) -> tuple[list[File], int]:
    """The files of an Iceberg table that may hold what is wanted, and how many others there are.

    Raises:
        LakeError: the table's metadata cannot be read.
        QueryError: rows of it were deleted by another engine, in a way that is not read here.
    """
    snapshot = table.current_snapshot() if table is not None else None
    if table is None or snapshot is None or wanted == NOTHING:
        return [], _total_files(snapshot)
    with catalogue_errors("plan the scan"):
        tasks = list(table.scan(row_filter=to_iceberg(wanted)).plan_files())
    if any(task.delete_files for task in tasks):
        raise QueryError(
            "the table has delete files, which headrace query does not read",
            hint="rewrite the table with an engine that wrote them, or query it with that engine",
        )
    files = [
        File(
            task.file.file_path, "registered", task.file.record_count, task.file.file_size_in_bytes
        )
        for task in tasks
    ]
    return files, max(0, _total_files(snapshot) - len(files))


def _total_files(snapshot: Any) -> int:
    """What the snapshot says of itself; 0 where its writer did not."""
    summary = snapshot.summary if snapshot is not None else None
    return int(summary.get("total-data-files", 0)) if summary is not None else 0


def _landed_files(
    store: Store, names: Sequence[ManifestName], marks: Mapping[str, int]
) -> tuple[list[tuple[File, Bounds]], list[str]]:
    files: list[tuple[File, Bounds]] = []
    notes: list[str] = []
    asked = asked_again(store) if names else frozenset()
    for name in names:
        mark = watermark_of(marks, name)
        if name.last <= mark:
            continue
        try:
            if name.first <= mark:
                raise LakeError(f"manifest {name.path}: overlaps what is registered up to {mark}")
            if (name.site, name.journal, name.first, name.last) in asked:
                raise LakeError(
                    f"manifest {name.path}: damaged, its site is asked to send it again"
                )
            manifest = read_manifest(store, name)
        except LakeUnavailable:
            raise
        except LakeError as error:
            notes.append(f"left out: {error.message}")
        else:
            files += [
                (
                    File(store.uri(file.path), "landed", file.rows, file.bytes),
                    {"site": (name.site, name.site), "time": (file.min_time, file.max_time)},
                )
                for file in manifest.files
            ]
    return files, notes


def _odd_files(store: Store, names: Sequence[ManifestName], marks: Mapping[str, int]) -> list[File]:
    """Files of odd times whose manifests were seen; of later ones the readings are in the tail."""
    return [
        File(store.uri(file.path), "odd")
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
    reader: JournalReader,
    names: Sequence[ManifestName],
    marks: Mapping[str, int],
    wanted: Predicate,
) -> pa.Table:
    after = _landed_up_to(ManifestName(reader.site, reader.journal_id, 0, 0, ""), names, marks)
    rows = reader.read(after, max_rows=QUERY_TAIL_MAX_ROWS, max_bytes=QUERY_TAIL_MAX_BYTES)
    if rows and rows[-1].offset < reader.head():
        raise QueryError(
            f"the journal has more than {sum(row.rows for row in rows)} readings that have not "
            "landed, which is more than a query takes into memory",
            hint="run cloud-sync once, then ask again",
        )
    site = (reader.site, reader.site)
    kept = [
        row for row in rows if may_hold(wanted, {"site": site, "device": (row.device, row.device)})
    ]
    return to_table(reader.site, kept)
