"""Names and manifests of the landing zone, between a site and the lake.

::

    landing/site=<site>/journal=<id>/<first>-<last>.<day>.parquet    data, one file per day of reading time
    landing/site=<site>/journal=<id>/<first>-<last>.<day>.r<n>.parquet    the same, made again differently
    landing/site=<site>/journal=<id>/<first>-<last>.json             manifest, written last
    odd/site=<site>/journal=<id>/<first>-<last>.parquet              readings whose time cannot be right

``first`` and ``last`` are journal offsets (20 digits, so that names sort). Manifests of one journal
follow each other without holes: ``first`` is the previous ``last`` + 1. Names follow from offsets
alone, and the range is written down in the journal before the first object is put: a retry after a
kill writes the same objects again, byte for byte; where that is not possible (another version of the
software encodes otherwise) it takes new names, because the old ones may be registered. A data file is what its manifest says (rows, sha256) or does not
count. Odd times (``headrace.odd_times``) are never registered in the table, whose partitions are days: their
files stay where they are, and count from the moment when their manifest is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from headrace.errors import LakeError, LakeNewer

MANIFEST_VERSION: Final = 1
PREFIX: Final = "landing"
ODD_PREFIX: Final = "odd"

_FOLDER = re.compile(r"(?:^|/)site=([^/]+)/journal=([0-9a-f]{16})$")
_ODD_NAME = re.compile(
    r"(?:^|/)site=([^/]+)/journal=([0-9a-f]{16})/([0-9]{20})-([0-9]{20})\.parquet$"
)
_MANIFEST_NAME = re.compile(
    r"(?:^|/)site=([^/]+)/journal=([0-9a-f]{16})/([0-9]{20})-([0-9]{20})\.json$"
)
_DATA_NAME = re.compile(
    r"(?:^|/)site=([^/]+)/journal=([0-9a-f]{16})/([0-9]{20})-([0-9]{20})\.[^/]+\.parquet$"
)


class DataFile(msgspec.Struct, frozen=True):
    """One Parquet file of a landing; times are microseconds since 1970 UTC, inclusive."""

    path: str  # below the lake's root
    day: str  # ISO date of all reading times in it
    rows: int
    bytes: int
    sha256: str
    min_time: int
    max_time: int


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """What is landed of one stream of a device: ranges of seqs, inclusive."""

    device: str
    stream: str
    ranges: tuple[tuple[int, int], ...]


class Manifest(msgspec.Struct, frozen=True):
    """What one landing holds: journal offsets ``first..last`` (inclusive) in ``files``.

    ``damaged`` says what of them could not be read any more in the journal, and is in no file. ``odd``: the
    readings with odd times, which ``rows`` does not count. ``seen``: the readings that devices numbered, so
    that those of a lost journal can be told (None: an earlier version has landed it, which did not say).
    """

    site: str
    journal: str
    first: int
    last: int
    rows: int
    files: tuple[DataFile, ...]
    version: int = MANIFEST_VERSION
    landed_at: int = 0  # microseconds since 1970 UTC, by the site's clock
    damaged: tuple[str, ...] = ()
    odd: DataFile | None = None
    seen: tuple[Seen, ...] | None = None

    @property
    def path(self) -> str:
        return f"{folder(self.site, self.journal)}/{self.first:020d}-{self.last:020d}.json"


@dataclass(frozen=True, slots=True, order=True)
class ManifestName:
    """What a manifest's name says by itself."""

    site: str
    journal: str
    first: int
    last: int
    path: str


def folder(site: str, journal: str) -> str:
    """The prefix that one site's gateway needs write permission for."""
    return f"{PREFIX}/site={site}/journal={journal}"


def data_path(site: str, journal: str, first: int, last: int, day: str, *, attempt: int = 0) -> str:
    """Where the readings of one day go; ``attempt`` above 0 where the first name may be in use."""
    again = f".r{attempt}" if attempt else ""
    return f"{folder(site, journal)}/{first:020d}-{last:020d}.{day}{again}.parquet"


def manifest_name(site: str, journal: str, first: int, last: int) -> ManifestName:
    """The name of a manifest that may be there or not."""
    path = f"{folder(site, journal)}/{first:020d}-{last:020d}.json"
    return ManifestName(site, journal, first, last, path)


def odd_folder(site: str, journal: str) -> str:
    """The other prefix that one site's gateway needs write permission for."""
    return f"{ODD_PREFIX}/site={site}/journal={journal}"


def odd_path(site: str, journal: str, first: int, last: int) -> str:
    """Where readings with odd times go."""
    return f"{odd_folder(site, journal)}/{first:020d}-{last:020d}.parquet"


def odd_path_of(name: ManifestName) -> str:
    """The same, of a landing that is known by its manifest."""
    return odd_path(name.site, name.journal, name.first, name.last)


def is_data_of(path: str, name: ManifestName) -> bool:
    """Whether a path is one that a data file of that landing may have."""
    start = f"{folder(name.site, name.journal)}/{name.first:020d}-{name.last:020d}."
    return path.startswith(start) and "/" not in path[len(start) :]


def parse_folder(path: str) -> tuple[str, str] | None:
    """Site and journal of a journal's folder, or None for any other."""
    match = _FOLDER.search(path)
    return None if match is None else (match[1], match[2])


def parse_odd_name(path: str) -> ManifestName | None:
    """What the path of such a file says, in the terms of the manifest beside which it was put."""
    match = _ODD_NAME.search(path)
    if match is None:
        return None
    return ManifestName(match[1], match[2], int(match[3]), int(match[4]), path)


def parse_data_name(path: str) -> ManifestName | None:
    """Of which landing a data file is, or None for any other object; ``path`` is the file's."""
    match = _DATA_NAME.search(path)
    if match is None:
        return None
    return ManifestName(match[1], match[2], int(match[3]), int(match[4]), path)


def parse_manifest_name(path: str) -> ManifestName | None:
    """The parts of a manifest's path, or None for any other object."""
    match = _MANIFEST_NAME.search(path)
    if match is None:
        return None
    return ManifestName(match[1], match[2], int(match[3]), int(match[4]), path)


def manifest_of(path: str) -> ManifestName | None:
    """The manifest beside which a data file was put, whatever it names; None for any other object."""
    name = parse_data_name(path)
    return name and manifest_name(name.site, name.journal, name.first, name.last)


def watermark_key(site: str, journal: str) -> str:
    """The table property that says how far a journal has been registered."""
    return f"headrace.watermark.{site}.{journal}"


WATERMARK_PREFIX: Final = "headrace.watermark."


def parse_watermark_key(key: str) -> tuple[str, str]:
    """Site and journal of such a property; a site's name may have dots, a journal's id has none."""
    site, _, journal = key.removeprefix(WATERMARK_PREFIX).rpartition(".")
    return site, journal


def encode(manifest: Manifest) -> bytes:
    """The manifest as JSON."""
    return msgspec.json.encode(manifest)


def decode(payload: bytes, path: str) -> Manifest:
    """A manifest from JSON.

    Raises:
        LakeNewer: a manifest of a later version. LakeError: not a manifest of this one.
    """
    try:
        manifest = msgspec.json.decode(payload, type=Manifest)
    except msgspec.MsgspecError as error:
        raise LakeError(f"manifest {path}: not readable: {error}") from error
    if manifest.version > MANIFEST_VERSION:
        raise LakeNewer(
            f"manifest {path}: landed by a later Headrace (version {manifest.version}, this one knows "
            f"{MANIFEST_VERSION})",
            hint="update Headrace here; it waits",
        )
    if manifest.version != MANIFEST_VERSION:
        raise LakeError(
            f"manifest {path}: expected version {MANIFEST_VERSION}, got {manifest.version}"
        )
    return manifest
