"""What maintenance needs of an Iceberg table, on pyiceberg.

pyiceberg has no action that rewrites files. What it has is the snapshot producer behind its own
``overwrite``: files by name out, files by name in, one snapshot, and a check that what goes out is still
there. That is used here and nowhere else: ``transaction().update_snapshot().overwrite()`` is public, its class
has an underscore. ``table.overwrite(rows)`` would take a day into memory, and could remove readings that came
while it was read, because it goes by a condition and not by files.

The snapshot that a replacement starts from is a requirement of its commit. So one that meets another commit is
refused, looks whether its files are still there, and is offered again; nobody waits for it. No data
file has been deleted then, and none is before no snapshot names it (``cloud_sync.maintain.sweep``).
Table properties, and so the watermarks, are not touched, but for those that the caller names (``Marks``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile, ManifestContent, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.transforms import DayTransform, MonthTransform, YearTransform

from cloud_sync.maintain.entries import Entry, data_files, entries
from cloud_sync.maintain.runs import File
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.catalogue import catalogue_errors
from headrace.limits.maintain import COMMIT_TRIES

#: The key in a snapshot's summary by which readers tell maintenance from new readings.
MARK = "headrace.maintenance"


@dataclass(frozen=True, slots=True)
class Partition:
    """The files of one day, or of whatever else the table is partitioned by."""

    name: str  # as in a path: day=2026-11-23; empty where the table has no partitions
    ends: datetime | None  # when nothing but late rows comes any more; None where nobody knows
    files: tuple[File, ...]
    is_day: bool = True


@dataclass(frozen=True, slots=True)
class Marks:
    """Table properties that a replacement sets in its commit, if they are as they were until then."""

    before: Mapping[str, str | None]
    after: Mapping[str, str]


class LostRaceError(Exception):
    """Another process has replaced the same files, or was always faster."""


def partitions(table: Table) -> list[Partition]:
    """The files of the newest snapshot, in order of the partitions.

    Raises:
        LakeError: the table has delete files, which rewriting by file would bring back to life.
    """
    groups: dict[str, list[File]] = defaultdict(list)
    ends: dict[str, datetime | None] = {}
    for data in live(table):
        if data.spec_id != table.metadata.default_spec_id:
            continue  # of an older partitioning: a file must not lie across two of the new one
        name = _partition_name(table, data)
        groups[name].append(data.file)
        ends[name] = _end_of(table, data)
    is_day = isinstance(_transform(table), DayTransform)
    return [
        Partition(name, ends[name], tuple(groups[name]), is_day=is_day) for name in sorted(groups)
    ]


def live(table: Table) -> list[Entry]:
    """The data files of the newest snapshot."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return []
    with catalogue_errors("read the table"):
        manifests = snapshot.manifests(table.io)
        found = [
            data
            for manifest in manifests
            if manifest.content == ManifestContent.DATA
            for data in entries(table.io, manifest)
        ]
    if any(manifest.content == ManifestContent.DELETES for manifest in manifests):
        raise LakeError(
            f"table {'.'.join(table.name())} has delete files of another engine",
            hint="rewrite it with that engine, then Headrace maintains it again",
        )
    return found


def referenced(table: Table) -> set[str]:
    """Addresses of the data files that any snapshot of the table still names."""
    with catalogue_errors("read the table"):
        manifests = {
            manifest for snapshot in table.snapshots() for manifest in _manifests(table, snapshot)
        }
        return {data.file.uri for manifest in manifests for data in entries(table.io, manifest)}


def replace(
    table: Table, gone: Sequence[File], come: Sequence[str], *, why: str, marks: Marks | None = None
) -> None:
    """One commit: these files out, those in, and what is marked.

    Raises:
        LostRaceError: it did not happen, and what was made for it is of no use.
        LakeUnavailable: it may have happened or not.
    """
    for _ in range(COMMIT_TRIES):
        # Others have committed while files were merged, and maybe expired what the table was read with.
        _refresh(table)
        if not _is_as_before(table, gone, marks):
            if (come or marks) and _has_happened(table, gone, come, marks):
                return  # an attempt that was called refused was done after all
            break
        try:
            with catalogue_errors("commit"):
                _replace(table, {file.uri for file in gone}, come, why, marks)
        except LakeUnavailable as error:
            _refresh(table)
            if _has_happened(table, gone, come, marks):
                return
            if not isinstance(error.__cause__, (CommitFailedException, FileNotFoundError)):
                raise
        except ValidationException:
            continue
        else:
            return
    raise LostRaceError


def _replace(
    table: Table, gone: set[str], come: Sequence[str], why: str, marks: Marks | None
) -> None:
    with table.transaction() as change:
        if marks is not None:
            change.set_properties(dict(marks.after))
        if not gone and not come:
            return
        update = change.update_snapshot(snapshot_properties={MARK: why})
        # Where nothing goes, manifests are merged as the table's properties say; an overwriting leaves each as it is.
        with update.overwrite() if gone else update.merge_append() as snapshot:
            found = _data_files(table, gone)
            if len(found) < len(gone):
                raise ValidationException("a file that was to be replaced is not there any more")
            for data in found:
                snapshot.delete_data_file(data)
            for uri in come:
                data = parquet_file_to_data_file(table.io, change.table_metadata, uri)
                snapshot.append_data_file(data)


def _has_happened(
    table: Table, gone: Sequence[File], come: Sequence[str], marks: Marks | None
) -> bool:
    """Whether a commit whose answer was lost was done: then the new files are there, and the old are not."""
    there = {data.file.uri for data in live(table)}
    is_done = there.isdisjoint(file.uri for file in gone) and there.issuperset(come)
    return is_done and (marks is None or _has(table, marks.after))


def _is_as_before(table: Table, gone: Sequence[File], marks: Marks | None) -> bool:
    there = {data.file.uri for data in live(table)}
    is_there = there.issuperset(file.uri for file in gone)
    return is_there and (marks is None or _has(table, marks.before))


def _has(table: Table, properties: Mapping[str, str | None]) -> bool:
    return all(table.properties.get(key) == value for key, value in properties.items())


def _refresh(table: Table) -> None:
    with catalogue_errors("read the table back"):
        table.refresh()


def _manifests(table: Table, snapshot: Snapshot) -> list[ManifestFile]:
    return [each for each in snapshot.manifests(table.io) if each.content == ManifestContent.DATA]


def _data_files(table: Table, uris: set[str]) -> list[DataFile]:
    """What pyiceberg knows of some files; only the manifests that name them are read for it."""
    snapshot = table.current_snapshot()
    manifests = _manifests(table, snapshot) if snapshot is not None else []
    return [
        data
        for manifest in manifests
        if not uris.isdisjoint(each.file.uri for each in entries(table.io, manifest))
        for data in data_files(table.io, manifest)
        if data.file_path in uris
    ]


def _partition_name(table: Table, data: Entry) -> str:
    return str(table.spec().partition_to_path(data.partition, table.schema()))


def _transform(table: Table) -> Any:
    """How a table is partitioned, where it is by one column."""
    fields: Sequence[Any] = table.spec().fields
    return fields[0].transform if len(fields) == 1 else None


def _end_of(table: Table, data: Entry) -> datetime | None:
    """The end of a file's day, month or year; None where the table is partitioned otherwise."""
    transform, value = _transform(table), data.partition[0] if table.spec().fields else None
    if value is None:
        return None
    if isinstance(transform, DayTransform):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=value + 1)
    if isinstance(transform, MonthTransform):
        return datetime(1970 + (value + 1) // 12, (value + 1) % 12 + 1, 1, tzinfo=UTC)
    if isinstance(transform, YearTransform):
        return datetime(1971 + value, 1, 1, tzinfo=UTC)
    return None
