"""Finding the manifests that a watermark does not cover yet.

Manifests are kept for ever: they say what was landed, with checksums. So that looking for new ones
does not take longer every day, the listing of a journal's folder starts behind its watermark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from headrace import resend
from headrace.errors import LakeError
from headrace.lake.store import Store
from headrace.landing import (
    ODD_PREFIX,
    PREFIX,
    WATERMARK_PREFIX,
    Manifest,
    ManifestName,
    decode,
    is_data_of,
    odd_path_of,
    parse_folder,
    parse_manifest_name,
    parse_odd_name,
    watermark_key,
)
from headrace.limits.lake import MANIFEST_MAX_BYTES

#: The largest number that the column ``seq`` holds.
_MAX_SEQ: Final = 2**63 - 1


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
            key = parse_folder(journal)
            if key is None:
                continue  # somebody else's: to look into each would cost a request
            mark = marks.get(watermark_key(*key), 0)
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
    payload = store.get(name.path, max_bytes=MANIFEST_MAX_BYTES)
    if payload is None:
        raise LakeError(f"manifest {name.path}: listed but missing")
    manifest = decode(payload, name.path)
    fault = _fault(manifest, name)
    if fault:
        raise LakeError(f"manifest {name.path}: {fault}")
    return manifest


def _fault(manifest: Manifest, name: ManifestName) -> str:
    """What cannot be true of a manifest by itself, or ""."""
    says = (manifest.site, manifest.journal, manifest.first, manifest.last)
    if says != (name.site, name.journal, name.first, name.last):
        return f"its content speaks of {says}"
    paths = [file.path for file in manifest.files]
    strange = [path for path in paths if not is_data_of(path, name)]
    if manifest.odd is not None and manifest.odd.path != odd_path_of(name):
        strange.append(manifest.odd.path)
    if strange:
        return f"names a file that is not its own: {strange[0]}"
    if len(set(paths)) < len(paths):
        return "names a file twice"
    if sum(file.rows for file in manifest.files) != manifest.rows:
        return f"its files do not add up to {manifest.rows} rows"
    ranges = (each for seen in manifest.seen or () for each in seen.ranges)
    if not all(0 <= first <= last <= _MAX_SEQ for first, last in ranges):
        return "says to have seen a range that is none"
    return ""
