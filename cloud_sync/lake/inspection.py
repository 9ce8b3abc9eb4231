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

import msgspec

from cloud_sync.config import Verify
from cloud_sync.lake import content
from cloud_sync.lake.footer import check_columns, check_size, check_statistics, readable
from cloud_sync.lake.table import ReadingsTable
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.manifests import read_manifest
from headrace.lake.store import Store
from headrace.landing import DataFile, Manifest, ManifestName, Seen
from headrace.limits.lake import LANDED_FILE_MAX_BYTES


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
        bad = [file for file in manifest.files if self._is_bad(file, manifest.site)]
        if not bad:
            return manifest, ()
        # Only these are in the table then, when another journal brings the rest.
        seen: list[Seen] = []
        sound: list[DataFile] = []
        for file in manifest.files:
            found = None if file in bad else self._seen(file)
            if found is not None:
                sound.append(file)
                seen += found
        rows = sum(file.rows for file in sound)
        kept = msgspec.structs.replace(manifest, files=tuple(sound), rows=rows, seen=tuple(seen))
        return kept, tuple(file for file in manifest.files if file not in sound)

    def _is_bad(self, file: DataFile, site: str) -> bool:
        try:
            self.check(file, site)
        except LakeUnavailable:
            raise
        except LakeError:
            return True
        return False

    def _seen(self, file: DataFile) -> tuple[Seen, ...] | None:
        """The readings of a file whose footer is sound; None where it has another fault further in."""
        try:
            return content.seen(content.read(self._store, file))
        except LakeUnavailable:
            raise
        except LakeError:
            return None

    def check(self, file: DataFile, site: str) -> None:
        """One data file.

        Raises:
            LakeError: it is not what the manifest says, or nothing that fits into the table.
        """
        self._check_bytes(file)
        footer = self._table.footer(self._store.uri(file.path))
        with readable(file.path):
            check_size(file, footer)
            check_columns(file.path, footer.schema.to_arrow_schema(), self._table.columns())
            check_statistics(file, footer, site)

    def _check_bytes(self, file: DataFile) -> None:
        size = self._store.size(file.path)
        if size != file.bytes:
            raise LakeError(f"{file.path}: expected {file.bytes} bytes, got {size or 'no object'}")
        if size > LANDED_FILE_MAX_BYTES:
            raise LakeError(
                f"{file.path}: expected {LANDED_FILE_MAX_BYTES} bytes at most, got {size}"
            )
        if self._verify == "sha256":
            check_content(file, self._store.get(file.path) or b"")


def check_content(file: DataFile, data: bytes) -> None:
    """By checksum.

    Raises:
        LakeError: these are not the bytes that were landed.
    """
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise LakeError(f"{file.path}: its content is not what its manifest says (sha256)")
