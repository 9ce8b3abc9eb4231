"""Files in the landing zone that nobody needs: of landings that were refused, superseded or made again.

A retry by another version of the software, an answer to a request (``headrace/resend.py``) and a registrar that
leaves out repetitions (``cloud_sync/lake/once.py``) put files under new names; those under the other names, or
these, are then in no table. A listing alone cannot tell them from files that are needed, so one is taken only
where all of this is known of it:

- the journal's watermark is at or behind its last offset: what becomes of its landing is decided;
- the manifest of just these offsets is there, is readable and names others;
- the landing was not given up: what lies there may be the only copy of something;
- no snapshot of the table names it, and no record of maintenance, which removes it in its own time.

So what a lander is writing stays, what waits to be registered, and what a gateway that is lost has put last. What is
found gets a record, as what a rewriting replaces does, and from there on it is a matter of the sweep: the grace, a
last look at the snapshots, the removal.

Manifests are kept for ever, so a look does not start at the first name: behind a journal's watermark new names come
for a while only (a site that was off in the middle of a landing), and then never again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import msgspec
from pyiceberg.table import Table

from cloud_sync.maintain import records
from cloud_sync.maintain.iceberg import referenced
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.manifests import read_manifest, watermarks
from headrace.lake.store import Store
from headrace.landing import ManifestName, folder, manifest_of, parse_watermark_key
from headrace.limits.maintain import LANDING_SETTLED_S
from headrace.resend import quarantine_path

PATH: Final = f"{records.PREFIX}/landings.json"

_SETTLED_US: Final = round(LANDING_SETTLED_S * 1e6)


class Looked(msgspec.Struct, frozen=True, array_like=True):
    """How far one journal was looked at: nothing new comes up to ``settled``; ``last`` was the watermark at ``at_us``."""

    settled: int = 0
    last: int = 0
    at_us: int = 0

    def after(self, mark: int, now_us: int) -> Looked:
        """After a look up to a watermark."""
        return self if now_us - self.at_us < _SETTLED_US else Looked(self.last, mark, now_us)


@dataclass(frozen=True, slots=True)
class Strays:
    """Files that nobody needs, by their paths, and how far was looked by watermark key."""

    paths: tuple[str, ...]
    looked: dict[str, Looked]


def find(store: Store, table: Table, now_us: int) -> Strays:
    """Look for them; changes nothing.

    Raises:
        LakeUnavailable: the store is away. LakeError: this identity may not look.
    """
    before = _read(store)
    looked: dict[str, Looked] = {}
    paths: list[str] = []
    for key, mark in watermarks(table.properties).items():
        known = before.get(key, Looked())
        looked[key] = known.after(mark, now_us)
        paths += _decided(store, key, known.settled, mark)
    named = _named(store, table) if paths else frozenset()
    free = [path for path in paths if store.uri(path) not in named]
    return Strays(tuple(_superseded(store, free)), looked)


def take(store: Store, table: Table, found: Strays, now_us: int) -> None:
    """Leave them to the sweep, and remember how far was looked.

    In this order: killed in between, they are looked at again, and are in a record.
    """
    if found.paths:
        records.put(store, records.removal(table, map(store.uri, found.paths), now_us))
    if found.looked != _read(store):
        store.put(PATH, msgspec.json.encode(found.looked))


def _decided(store: Store, key: str, settled: int, mark: int) -> Iterator[str]:
    """Data files of landings behind the watermark, as far as they were not settled before."""
    place = folder(*parse_watermark_key(key))
    for path in store.names(place, after=f"{place}/{settled + 1:020d}" if settled else ""):
        name = manifest_of(path)
        if name is not None and name.last <= mark:
            yield path


def _named(store: Store, table: Table) -> frozenset[str]:
    """Addresses of the files that snapshots or records speak of."""
    waiting = (uri for each in records.all_of(store, table.name()[-1]) for uri in each.gone)
    return frozenset(referenced(table)).union(waiting)


def _superseded(store: Store, paths: Iterable[str]) -> Iterator[str]:
    """Those whose landing has a manifest that names others."""
    for name, own in groupby(sorted(paths), key=manifest_of):
        claimed = _claimed(store, name) if name is not None else None
        if claimed is not None:
            yield from (path for path in own if path not in claimed)


def _claimed(store: Store, name: ManifestName) -> frozenset[str] | None:
    """What a landing's manifest names; None where it is not there, is damaged, or was given up."""
    if store.size(quarantine_path(name)) is not None:
        return None
    try:
        return frozenset(file.path for file in read_manifest(store, name).files)
    except LakeUnavailable:
        raise
    except LakeError:
        return None


def _read(store: Store) -> dict[str, Looked]:
    payload = store.get(PATH)
    if payload is None:
        return {}
    try:
        return msgspec.json.decode(payload, type=dict[str, Looked])
    except msgspec.MsgspecError as error:
        raise LakeError(
            f"{PATH}: not readable: {error}", hint="delete it: everything is looked at once more"
        ) from error
