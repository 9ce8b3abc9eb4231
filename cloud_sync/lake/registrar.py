"""Registers manifests: read the watermarks, look for manifests behind them, decide, commit.

The watermark of a journal is a table property that is set in the commit that adds its files. So the
table itself says what it holds, whatever happened to this process, its disk or the answer to a
commit. A commit ends in one of three ways: done, refused, unknown; after anything but "done" the
watermarks are read back, and what they say is the truth. The base snapshot is a requirement of each
commit, so one that arrives late finds the table changed and is refused.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from cloud_sync.config import Verify
from cloud_sync.lake.registration import Held, Plan, new_marks, plan
from cloud_sync.lake.table import ReadingsTable
from headrace.errors import CommitUnknown, LakeError, LakeUnavailable
from headrace.lake.manifests import read_manifest, unregistered
from headrace.lake.store import Store
from headrace.landing import DataFile, Manifest, ManifestName
from headrace.limits.lake import REGISTER_MAX_MANIFESTS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Registered:
    """What one commit added."""

    manifests: int
    files: int
    rows: int


class Registrar:
    """Brings manifests of all sites and journals into the table."""

    def __init__(
        self, store: Store, table: ReadingsTable, *, keep_snapshots: int, verify: Verify = "size"
    ) -> None:
        self._store = store
        self._table = table
        self._keep_snapshots = keep_snapshots
        self._verify = verify
        self._blocked: dict[tuple[str, str], Held] = {}
        self.held: tuple[Held, ...] = ()

    def watermarks(self) -> dict[str, int]:
        """As the table has them now."""
        return self._table.watermarks()

    def next(self) -> Plan:
        """What to commit next."""
        marks = self._table.watermarks()
        names = unregistered(self._store, marks)
        found = plan(names, marks, limit=REGISTER_MAX_MANIFESTS, blocked=frozenset(self._blocked))
        self._say(found.held)
        self.held = (*found.held, *self._blocked.values())
        return found

    def check(self, names: Sequence[ManifestName]) -> list[Manifest]:
        """The manifests, as far as they and their files are sound.

        A bad one blocks its journal, from there on, until the next start; the others go on.
        """
        sound: list[Manifest] = []
        for name in names:
            if (name.site, name.journal) in self._blocked:
                continue
            try:
                manifest = read_manifest(self._store, name)
                for file in manifest.files:
                    self._check_file(file)
            except LakeUnavailable:
                raise
            except LakeError as error:
                self._block(name, error)
            else:
                sound.append(manifest)
        return sound

    def commit(self, manifests: Sequence[Manifest]) -> Registered:
        """Add the manifests' files in one commit.

        Raises:
            LakeUnavailable: it did not happen, try again. CommitUnknown: nobody knows yet.
        """
        uris = [self._store.uri(file.path) for each in manifests for file in each.files]
        marks = new_marks(_name(manifest) for manifest in manifests)
        try:
            self._table.add(uris, marks)
        except LakeUnavailable as error:
            self._read_back(marks, error)
        return Registered(len(manifests), len(uris), sum(each.rows for each in manifests))

    def tidy(self) -> None:
        """Keep the table's metadata small."""
        self._table.expire(self._keep_snapshots)

    def _read_back(self, wanted: dict[str, int], error: LakeUnavailable) -> None:
        try:
            marks = self._table.watermarks()
        except LakeUnavailable as again:
            raise CommitUnknown(f"the answer to a commit was lost: {error.message}") from again
        if any(marks.get(key, 0) < mark for key, mark in wanted.items()):
            raise error
        log.info("the answer to a commit was lost; the table says that it happened")

    def _check_file(self, file: DataFile) -> None:
        size = self._store.size(file.path)
        if size != file.bytes:
            raise LakeError(f"{file.path}: expected {file.bytes} bytes, got {size or 'no object'}")
        if self._verify == "sha256":
            data = self._store.get(file.path) or b""
            if hashlib.sha256(data).hexdigest() != file.sha256:
                raise LakeError(f"{file.path}: its content is not what its manifest says")

    def _say(self, held: tuple[Held, ...]) -> None:
        """A hole is said when it shows, not at every look."""
        for each in set(held) - set(self.held):
            log.warning("held: %s", each)

    def _block(self, name: ManifestName, error: LakeError) -> None:
        held = Held(name.site, name.journal, error.message)
        self._blocked[name.site, name.journal] = held
        self.held = (*self.held, held)
        log.error("%s", held)


def _name(manifest: Manifest) -> ManifestName:
    return ManifestName(
        manifest.site, manifest.journal, manifest.first, manifest.last, manifest.path
    )
