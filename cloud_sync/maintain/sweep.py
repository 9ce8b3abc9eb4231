"""Removing what nobody needs: replaced data files, what killed compactions wrote, stray metadata.

By the records (``cloud_sync.maintain.records``), never by guessing from a listing:

- a file that a rewriting replaced goes ``grace_s`` after the first look that found it in no snapshot
  any more, because a query may have planned with an older one;
- a file that a rewriting wrote and no snapshot names goes with them, or ``orphan_age_s`` after the rewriting
  began if it has never happened;
- files of landings that were made again (``cloud_sync.maintain.landings``) are such files;
- a record goes when both are done. One of another table of the same name (it was dropped and made anew)
  is left alone with its files: registration may need them.

Metadata files of commits that were refused or killed are found by listing the table's metadata folder;
there the age is the guard, and that no kept snapshot and no metadata file names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa
import pyarrow.fs as pafs
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from cloud_sync.maintain import records
from cloud_sync.maintain.compaction import address
from cloud_sync.maintain.iceberg import live, referenced
from cloud_sync.maintain.records import Record
from cloud_sync.maintain.runs import job_start_us
from headrace.errors import LakeUnavailable
from headrace.lake.catalogue import catalogue_errors
from headrace.lake.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How long things stay, in microseconds, and what time it is."""

    now_us: int
    grace_us: int
    orphan_us: int


@dataclass(slots=True)
class Swept:
    """What was removed, or would be."""

    files: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    waiting: int = 0


def sweep(store: Store, table: Table, ages: Ages, *, dry_run: bool = False) -> Swept:
    """Remove what is free.

    Raises:
        LakeUnavailable: the store is away; what is done is done.
    """
    swept = Swept()
    found = [
        record
        for record in records.all_of(store, table.name()[-1])
        if record.table_uuid == str(table.metadata.table_uuid)
    ]
    if found:
        files = _Files(
            referenced(table), {data.file.uri for data in live(table)},
            {uri for record in found for uri in record.gone},
        )  # fmt: skip
        for record in found:
            _sweep_record(store, table, record, files, ages, swept, dry_run)
    swept.metadata += _stray_metadata(table, ages, dry_run)
    return swept


@dataclass(frozen=True, slots=True)
class _Files:
    """Data files that any snapshot names, those that the newest does, and those that records say to be replaced."""

    named: set[str]
    live: set[str]
    replaced: set[str]


def _sweep_record(
    store: Store, table: Table, record: Record, files: _Files, ages: Ages, swept: Swept,
    dry_run: bool,
) -> None:  # fmt: skip
    # What came and was replaced later is the later record's: it has a grace of its own.
    kept = files.named | files.replaced
    come = [uri for uri in _written(table, record) if uri not in kept]
    come.reverse()  # the newest first: those that are left are found again from the first on
    is_old = ages.now_us - job_start_us(record.job) >= ages.orphan_us
    is_open = bool(come) if not record.gone else not files.live.isdisjoint(record.gone)
    if is_open:
        is_done = is_old  # it has not happened; being old, it never will
    else:
        is_done = files.named.isdisjoint(record.gone) and _is_free_long_enough(
            store, record, ages, dry_run
        )
        if is_done:
            _delete(table, list(record.gone), swept, dry_run)
    if is_done or is_old:
        _delete(table, come, swept, dry_run)
    if is_done:
        _delete(table, [store.uri(record.path)], Swept(), dry_run)
    else:
        swept.waiting += 1


def _is_free_long_enough(store: Store, record: Record, ages: Ages, dry_run: bool) -> bool:
    """The first look writes down when it was; the one after ``grace_s`` says yes. A clock that was ahead begins anew."""
    if record.free_since_us == 0 or record.free_since_us > ages.now_us:
        if ages.grace_us == 0:
            return True
        if not dry_run:
            records.put(store, msgspec.structs.replace(record, free_since_us=ages.now_us))
        return False
    return ages.now_us - record.free_since_us >= ages.grace_us


def _written(table: Table, record: Record) -> Iterator[str]:
    """The files of a rewriting that are there: numbered from 0, written in order."""
    number = 0
    while True:
        uri = address(record, number)
        try:
            is_there = table.io.new_input(uri).exists()
        except OSError as error:
            raise LakeUnavailable(f"{uri}: cannot look: {error}") from error
        if not is_there:
            return
        yield uri
        number += 1


def _delete(table: Table, uris: list[str], swept: Swept, dry_run: bool) -> None:
    for uri in uris:
        if not dry_run:
            try:
                with suppress(FileNotFoundError):
                    table.io.delete(uri)
            except OSError as error:
                raise LakeUnavailable(f"{uri}: cannot delete: {error}") from error
        swept.files.append(uri)


def _stray_metadata(table: Table, ages: Ages, dry_run: bool) -> list[str]:
    """Delete old metadata files that nothing names; only where Arrow can list the folder."""
    if not isinstance(table.io, PyArrowFileIO):
        return []
    folder = table.location_provider().new_metadata_location("").rstrip("/")
    scheme, netloc, path = table.io.parse_location(folder)
    filesystem = table.io.fs_by_scheme(scheme, netloc)
    with catalogue_errors("read the table"):
        known = _known_metadata(table)
    removed: list[str] = []
    try:
        for info in filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True)):
            is_old = (
                info.mtime_ns is not None and ages.now_us - info.mtime_ns // 1_000 >= ages.orphan_us
            )
            if is_old and info.is_file and info.base_name not in known:
                if not dry_run:
                    filesystem.delete_file(info.path)
                removed.append(info.base_name)
    except (OSError, pa.ArrowException) as error:
        raise LakeUnavailable(f"{folder}: cannot tidy: {error}") from error
    return removed


def _known_metadata(table: Table) -> set[str]:
    """Names of the files that the table's metadata leads to."""
    uris = {table.metadata_location, *(each.metadata_file for each in table.metadata.metadata_log)}
    uris |= {each.statistics_path for each in table.metadata.statistics}
    for snapshot in table.snapshots():
        uris.add(snapshot.manifest_list)
        uris.update(manifest.manifest_path for manifest in snapshot.manifests(table.io))
    return {uri.rpartition("/")[2] for uri in uris}
