"""Finding the manifests that a watermark does not cover yet.

Manifests are kept for ever: they say what was landed, with checksums. So that looking for new ones
does not take longer every day, the listing of a journal's folder starts behind its watermark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace import resend
from headrace.errors import LakeError
from headrace.lake.store import Store
from headrace.landing import (
    ODD_PREFIX,
    PREFIX,
    WATERMARK_PREFIX,
    DataFile,
    Manifest,
    ManifestName,
    decode,
    folder,
    parse_manifest_name,
    parse_odd_name,
    watermark_key,
)


def watermarks(properties: Mapping[str, str]) -> dict[str, int]:
    """The table's watermarks by their property keys."""
    return {
        key: int(value)
        for key, value in properties.items()
        if key.startswith(WATERMARK_PREFIX) and value.isdecimal()
    }


def watermark_of(marks: Mapping[str, int], name: ManifestName) -> int:
    """The last offset of the manifest's journal that is registered; 0 before the first."""
    return marks.get(watermark_key(name.site, name.journal), 0)


def unregistered(store: Store, marks: Mapping[str, int]) -> list[ManifestName]:
    """Names of the manifests behind their journals' watermarks, in order."""
    found: list[ManifestName] = []
    for site in store.folders(PREFIX):
        for journal in store.folders(site):
            key = watermark_key(site.partition("site=")[2], journal.rpartition("journal=")[2])
            mark = marks.get(key, 0)
            # The names of a landing start with its first offset: data files sort before ".json".
            behind = f"{journal}/{mark + 1:020d}" if mark else ""
            names = map(parse_manifest_name, store.names(journal, after=behind))
            found += [name for name in names if name is not None and name.last > mark]
    return sorted(found)


def all_manifests(store: Store, *, site: str = "") -> Iterator[ManifestName]:
    """Names of the manifests of all journals, registered or not, journal by journal in order."""
    for own in store.folders(PREFIX):
        if site and own.partition("site=")[2] != site:
            continue
        for journal in store.folders(own):
            yield from filter(None, map(parse_manifest_name, store.names(journal)))


def asked_again(store: Store) -> frozenset[tuple[str, str, int, int]]:
    """(site, journal, first, last) of landings that a registrar has found damaged and no site has made
    again yet; hardly ever any.
    """
    paths = [
        path
        for site in store.folders(resend.PREFIX)
        for journal in store.folders(site)
        for path in store.names(journal)
    ]
    names = sorted(name for name in map(resend.parse_name, paths) if name is not None)
    last = {(name.site, name.journal, name.first, name.last): name.is_answer for name in names}
    return frozenset(key for key, is_answered in last.items() if not is_answered)


def odd_files(store: Store) -> list[ManifestName]:
    """All files of readings with odd times; few, because a device seldom has them for long."""
    names = [
        parse_odd_name(path)
        for site in store.folders(ODD_PREFIX)
        for journal in store.folders(site)
        for path in store.names(journal)
    ]
    return sorted(name for name in names if name is not None)


def read_manifest(store: Store, name: ManifestName) -> Manifest:
    """The manifest behind a name, checked against it.

    Raises:
        LakeError: missing, unreadable, or it speaks of another journal, other offsets or files
            that are not its own.
    """
    payload = store.get(name.path)
    if payload is None:
        raise LakeError(f"manifest {name.path}: listed but missing")
    manifest = decode(payload, name.path)
    says = (manifest.site, manifest.journal, manifest.first, manifest.last)
    if says != (name.site, name.journal, name.first, name.last):
        raise LakeError(f"manifest {name.path}: its content speaks of {says}")
    for file in manifest.files:
        if not _is_own(file, name):
            raise LakeError(f"manifest {name.path}: names a file that is not its own: {file.path}")
    if sum(file.rows for file in manifest.files) != manifest.rows:
        raise LakeError(f"manifest {name.path}: its files do not add up to {manifest.rows} rows")
    return manifest


def _is_own(file: DataFile, name: ManifestName) -> bool:
    start = f"{folder(name.site, name.journal)}/{name.first:020d}-{name.last:020d}."
    return file.path.startswith(start) and "/" not in file.path[len(start) :]
