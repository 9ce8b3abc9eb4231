"""Is a landing what its manifest says? Asked before anything of it becomes part of the table.

A manifest is a claim of a site, and objects rot. What is looked at is cheap: the manifest, each file's
size, and its footer (one read of a few kilobytes), which says rows, columns, site and times. So a file
that was cut, belongs to another table, another site or another day, or has not the rows that were
claimed is found without reading it; ``verify = "sha256"`` reads it, and finds a flipped bit too.

Faults of a landing are ``LakeError``; that a store does not answer is ``LakeUnavailable`` and says
nothing about the landing.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cloud_sync.config import Verify
from cloud_sync.lake import content
from cloud_sync.lake.table import ReadingsTable
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.manifests import read_manifest
from headrace.lake.store import Store
from headrace.landing import DataFile, Manifest, ManifestName


class Inspector:
    """Looks at landings; ``verify`` says how closely."""

    def __init__(self, store: Store, table: ReadingsTable, *, verify: Verify) -> None:
        self._store = store
        self._table = table
        self._verify = verify

    def examine(self, name: ManifestName) -> Manifest:
        """The manifest behind a name, sound with all its files.

        Raises:
            LakeError: what is wrong with it.
        """
        manifest = read_manifest(self._store, name)
        for file in manifest.files:
            self.check(file, manifest.site)
        if manifest.odd is not None:
            self._check_bytes(manifest.odd)
        return manifest

    def salvage(self, name: ManifestName) -> tuple[Manifest, tuple[DataFile, ...]]:
        """What of a landing is sound, as a manifest, and the files that are not."""
        blank = Manifest(name.site, name.journal, name.first, name.last, 0, ())
        try:
            manifest = read_manifest(self._store, name)
        except LakeUnavailable:
            raise
        except LakeError:
            return blank, ()
        bad = tuple(file for file in manifest.files if self._is_bad(file, manifest.site))
        sound = tuple(file for file in manifest.files if file not in bad)
        rows = sum(file.rows for file in sound)
        if bad:
            # Only these are in the table then, when another journal brings the rest.
            seen = tuple(
                each for file in sound for each in content.seen(content.read(self._store, file))
            )
            manifest = msgspec.structs.replace(manifest, seen=seen)
        return msgspec.structs.replace(manifest, files=sound, rows=rows), bad

    def _is_bad(self, file: DataFile, site: str) -> bool:
        try:
            self.check(file, site)
        except LakeUnavailable:
            raise
        except LakeError:
            return True
        return False

    def check(self, file: DataFile, site: str) -> None:
        """One data file.

        Raises:
            LakeError: it is not what the manifest says, or nothing that fits into the table.
        """
        self._check_bytes(file)
        footer = self._table.footer(self._store.uri(file.path))
        check_columns(file.path, footer.schema.to_arrow_schema(), self._table.columns())
        check_statistics(file, footer, site)

    def _check_bytes(self, file: DataFile) -> None:
        size = self._store.size(file.path)
        if size != file.bytes:
            raise LakeError(f"{file.path}: expected {file.bytes} bytes, got {size or 'no object'}")
        if self._verify == "sha256":
            check_content(file, self._store.get(file.path) or b"")


def check_content(file: DataFile, data: bytes) -> None:
    """By checksum.

    Raises:
        LakeError: these are not the bytes that were landed.
    """
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise LakeError(f"{file.path}: its content is not what its manifest says (sha256)")


def check_columns(path: str, found: pa.Schema, expected: pa.Schema) -> None:
    """Columns by name and type; of the table's own those that may be null may be absent.

    Raises:
        LakeError: the file cannot be part of the table.
    """
    known = {field.name: field for field in expected}
    for field in found:
        if field.name not in known:
            raise LakeError(f"{path}: the table has no column {field.name!r}")
        if _plain(field.type) != _plain(known[field.name].type):
            raise LakeError(
                f"{path}: column {field.name!r}: expected {known[field.name].type}, got {field.type}"
            )
    missing = [
        name for name, field in known.items() if not field.nullable and name not in found.names
    ]
    if missing:
        raise LakeError(f"{path}: without the columns {', '.join(missing)}")


def check_statistics(file: DataFile, footer: pq.FileMetaData, site: str) -> None:
    """Rows, site and times as the footer has them.

    Raises:
        LakeError: the manifest says otherwise.
    """
    if footer.num_rows != file.rows:
        raise LakeError(f"{file.path}: expected {file.rows} readings, got {footer.num_rows}")
    sites = _bounds(footer, "site")
    if sites != (site, site):
        raise LakeError(f"{file.path}: expected readings of site {site}, got {sites}")
    times = _bounds(footer, "time")
    if times is None or tuple(map(_microseconds, times)) != (file.min_time, file.max_time):
        raise LakeError(f"{file.path}: its times are not what its manifest says")


def _bounds(footer: pq.FileMetaData, column: str) -> tuple[Any, Any] | None:
    """Least and greatest value by the row groups' statistics; None where one has none."""
    at = footer.schema.names.index(column)
    groups = [footer.row_group(index).column(at) for index in range(footer.num_row_groups)]
    if not groups or not all(
        group.is_stats_set and group.statistics.has_min_max for group in groups
    ):
        return None
    return (
        min(group.statistics.min for group in groups),
        max(group.statistics.max for group in groups),
    )


def _microseconds(time: Any) -> int:
    return int(pc.cast(pa.scalar(time, pa.timestamp("us", tz="UTC")), pa.int64()).as_py())


def _plain(kind: pa.DataType) -> pa.DataType:
    """Iceberg's text is Arrow's large_string, a file's is string."""
    return pa.utf8() if pa.types.is_large_string(kind) else kind
