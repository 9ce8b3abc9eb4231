"""The snapshots of a table as a line of descent: whether it still has what was registered.

Each commit makes a snapshot from the one before. A table that somebody has rolled back has a present
snapshot that does not descend from the last one of ours, though its properties, the watermarks among them,
are untouched. Expiry takes old snapshots away from the end of the line, and then nobody knows its rest. Ours never
takes the one on record; where somebody else's has, as other engines' maintenance does, the number of readings
decides: the table still has what was registered if it has as many. So what cannot be seen is a table that was rolled
back, got as many rows of others since, and lost the snapshots that would tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyiceberg.io import FileIO
from pyiceberg.manifest import ManifestContent
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import AssertRefSnapshotId, AssertTableUUID, TableRequirement

from cloud_sync.lake.record import TableState
from headrace.lake.manifests import watermarks
from headrace.landing import parse_data_name, watermark_key


def state_of(metadata: TableMetadata) -> TableState:
    """The table as a record of it says."""
    now = metadata.current_snapshot()
    return TableState(
        str(metadata.table_uuid),
        metadata.location,
        now.snapshot_id if now is not None else 0,
        (now.sequence_number or 0) if now is not None else 0,
        watermarks(metadata.properties),
        _rows(now),
    )


def as_it_is(table: Table) -> tuple[TableRequirement, ...]:
    """That nobody has added or removed files since the table was read."""
    snapshot = table.current_snapshot()
    return (
        AssertTableUUID(uuid=table.metadata.table_uuid),
        AssertRefSnapshotId.model_validate(
            {"ref": MAIN_BRANCH, "snapshot-id": snapshot.snapshot_id if snapshot else None}
        ),
    )


def line(metadata: TableMetadata, newest: Snapshot | None) -> Iterator[Snapshot]:
    """A snapshot and those that it was made from, as far as they are known."""
    while newest is not None:
        yield newest
        parent = newest.parent_snapshot_id
        newest = metadata.snapshot_by_id(parent) if parent is not None else None


def follows(metadata: TableMetadata, known: TableState) -> bool:
    """Whether the present snapshot is the one on record or was made from it."""
    if not known.snapshot:
        return True
    return _descends(metadata, metadata.current_snapshot(), known)


def newest_of(metadata: TableMetadata, known: TableState) -> Snapshot | None:
    """Of the snapshots that were the present one, the newest that has all that is on record."""
    there = {entry.snapshot_id for entry in metadata.snapshot_log}
    found = [
        each
        for each in metadata.snapshots
        if each.snapshot_id in there | {known.snapshot} and _descends(metadata, each, known)
    ]
    return max(found, key=lambda each: each.sequence_number or 0, default=None)


def registered_by(snapshot: Snapshot, files: FileIO) -> dict[str, int]:
    """How far journals are registered at least, by the landed files that a snapshot names."""
    marks: dict[str, int] = {}
    for path in _data_files(snapshot, files):
        name = parse_data_name(path)
        if name is not None:
            key = watermark_key(name.site, name.journal)
            marks[key] = max(marks.get(key, 0), name.last)
    return marks


def _descends(metadata: TableMetadata, newest: Snapshot | None, known: TableState) -> bool:
    for each in line(metadata, newest):
        if each.snapshot_id == known.snapshot:
            return True
        if known.sequence and (each.sequence_number or 0) <= known.sequence:
            return False
    is_expired = metadata.snapshot_by_id(known.snapshot) is None
    return newest is not None and is_expired and _rows(newest) >= known.rows


def _rows(snapshot: Snapshot | None) -> int:
    """Readings of a snapshot; 0 where its writer did not say."""
    summary = snapshot.summary if snapshot is not None else None
    said = (summary and summary["total-records"]) or "0"
    return int(said) if said.isdecimal() else 0


def _data_files(snapshot: Snapshot, files: FileIO) -> Iterator[str]:
    manifests: list[Any] = snapshot.manifests(files)
    for manifest in manifests:
        if manifest.content == ManifestContent.DATA:
            for entry in manifest.fetch_manifest_entry(files, discard_deleted=True):
                yield entry.data_file.file_path
