"""What the metadata of an Iceberg table says of its data files: their days, their devices, when they came.

Nothing is opened but manifests. A file without statistics of its times cannot be placed; ours have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import ManifestContent
from pyiceberg.table import Table

from cloud_sync.compute.days import DAY_US, Area, DataFile
from headrace.errors import LakeError
from headrace.lake.catalogue import catalogue_errors


def files_of(table: Table) -> list[DataFile]:
    """The files of the newest snapshot.

    Raises:
        LakeError: the table has delete files, or one of its files says nothing of its times.
    """
    snapshot = table.current_snapshot()
    if snapshot is None:
        return []
    with catalogue_errors("read the table"):
        return list(_files(table, snapshot.manifests(table.io)))


def _files(table: Table, manifests: Any) -> Iterator[DataFile]:
    for manifest in manifests:
        if manifest.content == ManifestContent.DELETES:
            raise LakeError(
                f"table {'.'.join(table.name())} has delete files of another engine",
                hint="rewrite it with that engine, then it can be computed from again",
            )
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            file = entry.data_file
            yield DataFile(
                file.file_path, file.file_size_in_bytes, file.record_count,
                entry.sequence_number or 0, _area(table, file),
            )  # fmt: skip


def _area(table: Table, file: IcebergFile) -> Area:
    first = _bound(table, file.lower_bounds, "time")
    last = _bound(table, file.upper_bounds, "time")
    if first is None or last is None:
        raise LakeError(
            f"{file.file_path}: its metadata says nothing of its times",
            hint="whoever wrote it must write statistics of time; or rewrite it with that engine",
        )
    device = _bound(table, file.lower_bounds, "device")
    return Area(
        first // DAY_US, last // DAY_US, device or "", _bound(table, file.upper_bounds, "device")
    )


def _bound(table: Table, bounds: dict[int, bytes] | None, column: str) -> Any:
    field = table.schema().find_field(column)
    found = (bounds or {}).get(field.field_id)
    kind: Any = field.field_type
    return None if found is None else from_bytes(kind, found)
