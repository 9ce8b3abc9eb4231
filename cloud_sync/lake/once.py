"""Keeps out of the table what another journal of the same site has brought before.

A gateway that has lost its disk starts a new journal, which knows nothing: batches whose ack had not reached
their device come again, are new to it and land again. They have the names that they had, (device, stream,
seq), and here is the one place where what two journals bring comes together in an order: the commits to the
table. So a manifest of a site with more than one journal is held against what the others have brought up to
their watermarks; its files are written again without that, under names that follow from their content, and
those are registered. The commit requires the snapshot that the watermarks were read with, so none of it can
be out of date when it counts.

What a journal has landed and nobody has registered does not count: it may be damaged, and then the
repetition is what the table gets. Files as they landed stay, and belong to nobody then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa

from cloud_sync.lake.content import Repeated, places, read
from cloud_sync.lake.ledger import Brought, Key, Ledger
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.store import Store
from headrace.landing import DataFile, Manifest, parse_watermark_key, watermark_key
from headrace.ranges import RangeSet

log = logging.getLogger(__name__)


class Encoded(Protocol):
    """A data file as landing encodes it (``cloud_sync.landing.parquet.DayFile``)."""

    @property
    def data(self) -> pa.Buffer: ...
    @property
    def rows(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def min_time(self) -> int: ...
    @property
    def max_time(self) -> int: ...


class Once:
    """Stands between the check of manifests and their commit; used by one thread."""

    def __init__(
        self, store: Store, ledger: Ledger, encode: Callable[[pa.Table], Iterable[Encoded]]
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._encode = encode

    def only_new(
        self,
        manifests: Sequence[Manifest],
        marks: Mapping[str, int],
        bad: Callable[[Manifest, LakeError], None],
    ) -> list[Manifest]:
        """The manifests of one commit with the files that are to be registered.

        Args:
            manifests: in the order in which their rows count.
            marks: the table's watermarks at the base of the commit.
            bad: is told of one that cannot be read; the later ones of its journal are left out, too.
        """
        journals = _by_site(manifests, marks)
        staged: dict[Key, Brought] = {}
        stopped: set[Key] = set()
        chosen = []
        for manifest in manifests:
            key = (manifest.site, manifest.journal)
            if key in stopped:
                continue
            others = journals[manifest.site] - {key}
            try:
                chosen.append(self._only_new(manifest, others, marks, staged))
            except LakeUnavailable:
                raise
            except LakeError as error:
                stopped.add(key)
                bad(manifest, error)
                continue
            if others:
                staged.setdefault(key, Brought()).add(manifest.seen or ())
        return chosen

    def _only_new(
        self, manifest: Manifest, others: Iterable[Key], marks: Mapping[str, int],
        staged: Mapping[Key, Brought],
    ) -> Manifest:  # fmt: skip
        repeated: dict[tuple[str, str], RangeSet] = {}
        for key in others:
            before = self._ledger.of(key, marks.get(watermark_key(*key), 0))
            for brought in (before, staged.get(key, Brought())):
                for stream, ranges in brought.common(manifest.seen or ()).items():
                    for part in ranges:
                        repeated.setdefault(stream, RangeSet()).add(*part)
        if not repeated:
            return manifest
        return self._without(manifest, {key: known.pairs() for key, known in repeated.items()})

    def _without(self, manifest: Manifest, repeated: Repeated) -> Manifest:
        files = tuple(kept for file in manifest.files for kept in self._file(file, repeated))
        rows = sum(file.rows for file in files)
        if rows < manifest.rows:
            log.info(
                "site %s, journal %s: %d readings of offsets %d-%d are in the table through another "
                "journal of the site, and are left out",
                manifest.site, manifest.journal, manifest.rows - rows, manifest.first, manifest.last,
            )  # fmt: skip
        return msgspec.structs.replace(manifest, files=files, rows=rows)

    def _file(self, file: DataFile, repeated: Repeated) -> Iterable[DataFile]:
        table = read(self._store, file)
        is_new = ~places(table, repeated)
        count = int(np.count_nonzero(is_new))
        if count == file.rows:
            yield file
        elif count:
            for encoded in self._encode(table.filter(pa.array(is_new))):
                path = f"{file.path.removesuffix('.parquet')}.{encoded.sha256[:16]}.parquet"
                self._store.create(path, encoded.data)
                yield DataFile(
                    path, file.day, encoded.rows, encoded.data.size, encoded.sha256,
                    encoded.min_time, encoded.max_time,
                )  # fmt: skip


def _by_site(manifests: Iterable[Manifest], marks: Mapping[str, int]) -> dict[str, set[Key]]:
    """All journals that have brought something, or do now, of the sites that do now."""
    journals: dict[str, set[Key]] = {}
    for manifest in manifests:
        journals.setdefault(manifest.site, set()).add((manifest.site, manifest.journal))
    for key in map(parse_watermark_key, marks):
        if key[0] in journals:
            journals[key[0]].add(key)
    return journals
