"""Which readings each journal has brought into the table, as ranges of seqs per (device, stream).

Each manifest says it of its own landing. So that nobody has to read a year of manifests on the day when a
gateway's disk is lost, they are added up, every few hours, in one object per journal::

    ledger/site=<site>/journal=<id>.json    {"last": <offset>, "seen": [[device, stream, [[first, last], …]], …]}

It is a sum and never the truth: what a journal has brought is the sum up to ``last`` and the manifests from
there to the table's watermark. So it may be old, and a kill, or a second registrar that writes an older one over
it, only means that more manifests are read. An object that is spoilt is made again from all of them.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from cloud_sync.lake import content
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.manifests import read_manifest
from headrace.lake.store import Store
from headrace.landing import Manifest, ManifestName, Seen, folder, parse_manifest_name
from headrace.limits.lake import LEDGER_EVERY_MANIFESTS, LEDGER_MAX_STREAMS
from headrace.ranges import Range, RangeSet
from headrace.resend import Quarantined, decode, quarantine_folder

log = logging.getLogger(__name__)

PREFIX: Final = "ledger"

#: Site and id of a journal.
Key = tuple[str, str]

#: Ranges of seqs by (device, stream).
Streams = Mapping[tuple[str, str], Iterable[Range]]


class Page(msgspec.Struct, frozen=True):
    """The object in the store: the sum of a journal's manifests up to the offset ``last``."""

    last: int
    seen: tuple[Seen, ...]
    version: int = 1


@dataclass(slots=True)
class Brought:
    """What a journal has brought up to ``last``."""

    last: int = 0
    streams: dict[tuple[str, str], RangeSet] = field(default_factory=dict)

    def add(self, seen: Iterable[Seen]) -> None:
        """A manifest's readings, or a page's."""
        for device, stream, ranges in map(msgspec.structs.astuple, seen):
            known = self.streams.setdefault((device, stream), RangeSet())
            for first, last in ranges:
                known.add(first, last)

    def common(self, seen: Iterable[Seen]) -> dict[tuple[str, str], list[Range]]:
        """What of these readings is there already."""
        found = {}
        for device, stream, ranges in map(msgspec.structs.astuple, seen):
            known = self.streams.get((device, stream))
            if known is not None:
                parts = [part for first, last in ranges for part in known.common(first, last)]
                if parts:
                    found[device, stream] = parts
        return found

    def page(self) -> Page:
        """As it stands in the store."""
        streams = sorted(self.streams.items())
        return Page(self.last, tuple(Seen(*key, tuple(known.pairs())) for key, known in streams))


class Ledger:
    """Reads and writes pages; used by one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[Key, Brought] = OrderedDict()
        #: Manifests behind the page of each journal that this process has registered something of.
        self._behind: dict[Key, int] = {}
        self._unnamed: set[Key] = set()

    def of(self, key: Key, mark: int) -> Brought:
        """What a journal has brought up to its watermark."""
        found = self._known.pop(key, None)
        if found is None or found.last > mark:
            found = self._load(key, mark)
        if self._read_on(key, found, mark) >= LEDGER_EVERY_MANIFESTS:
            self._write(key, found)
        self._known[key] = found
        while len(self._known) > 1 and self._streams() > LEDGER_MAX_STREAMS:
            self._known.popitem(last=False)
        return found

    def keep_up(self, registered: Iterable[Manifest]) -> None:
        """After a commit of these: write pages anew that are too far behind."""
        by_journal: dict[Key, list[int]] = {}
        for manifest in registered:
            by_journal.setdefault((manifest.site, manifest.journal), []).append(manifest.last)
        for key, lasts in by_journal.items():
            behind = self._count(key, lasts)
            if behind >= LEDGER_EVERY_MANIFESTS:
                brought = self._load(key, max(lasts))
                self._read_on(key, brought, max(lasts))
                self._write(key, brought)
                behind = 0
            self._behind[key] = behind

    def _count(self, key: Key, lasts: Sequence[int]) -> int:
        """Manifests behind the page, these included; the first time in this process by looking."""
        behind = self._behind.get(key)
        if behind is None:
            return len(self._names(key, self._load(key, max(lasts)).last, max(lasts)))
        return behind + len(lasts)

    def _streams(self) -> int:
        return sum(len(each.streams) for each in self._known.values())

    def _load(self, key: Key, mark: int) -> Brought:
        """The page, if there is one that is no newer than the watermark."""
        found, path = Brought(), _path(key)
        payload = self._store.get(path)
        if payload is None:
            return found
        try:
            page = msgspec.json.decode(payload, type=Page)
        except msgspec.MsgspecError as error:
            log.warning("%s: not a ledger (%s); made again from all manifests", path, error)
            return found
        if page.last > mark:
            # An older state of the table was put back: what lies behind its watermark counts for nothing.
            log.warning("%s: is of %d, the table of %d; made again", path, page.last, mark)
            return found
        found.add(page.seen)
        found.last = page.last
        return found

    def _write(self, key: Key, brought: Brought) -> None:
        self._store.put(_path(key), msgspec.json.encode(brought.page()))

    def _names(self, key: Key, after: int, mark: int) -> list[ManifestName]:
        """Registered manifests behind an offset."""
        place = folder(*key)
        names = map(
            parse_manifest_name, self._store.names(place, after=f"{place}/{after + 1:020d}")
        )
        return sorted(name for name in names if name is not None and after < name.last <= mark)

    def _read_on(self, key: Key, brought: Brought, mark: int) -> int:
        """Add the manifests up to the watermark; how many they were."""
        if brought.last >= mark:
            return 0
        names = self._names(key, brought.last, mark)
        given_up = self._given_up(key) if names else {}
        for name in names:
            brought.add(self._seen(name, given_up.get(name.first)))
        brought.last = mark
        return len(names)

    def _given_up(self, key: Key) -> dict[int, str]:
        """Landings that are registered in part, or not at all: their first offsets, and where it is said."""
        paths = self._store.names(quarantine_folder(*key))
        names = map(parse_manifest_name, paths)
        return {name.first: name.path for name in names if name is not None}

    def _seen(self, name: ManifestName, given_up: str | None) -> tuple[Seen, ...]:
        try:
            manifest = read_manifest(self._store, name)
            if given_up is not None:
                return tuple(self._salvaged(manifest, given_up))
            seen = manifest.seen
        except LakeUnavailable:
            raise
        except LakeError as error:
            if given_up is None:
                log.error("%s; readings that it brought may be doubled", error)
            return ()
        if seen is None:
            self._say_unnamed(name)
        return seen or ()

    def _say_unnamed(self, name: ManifestName) -> None:
        """Once a journal: there may be a year of such manifests."""
        if (name.site, name.journal) not in self._unnamed:
            self._unnamed.add((name.site, name.journal))
            log.warning(
                "%s: an earlier version has landed it, maybe others too, and did not say which readings: "
                "if those come again, they are doubled", name.path,
            )  # fmt: skip

    def _salvaged(self, manifest: Manifest, record: str) -> Iterator[Seen]:
        """What of a landing that was given up is in the table all the same."""
        missing: Container[str] = ()
        payload = self._store.get(record) or b""
        with suppress(LakeError):  # it may have been put there by hand, empty
            missing = decode(payload, record, Quarantined).missing
        for file in manifest.files:
            if file.path in missing:
                continue
            try:
                table = content.read(self._store, file)
            except LakeUnavailable:
                raise
            except LakeError as error:
                log.warning("%s; it was given up: repetitions of its readings count", error)
            else:
                yield from content.seen(table)


def _path(key: Key) -> str:
    site, journal = key
    return f"{PREFIX}/site={site}/journal={journal}.json"
