"""Registers manifests: read the watermarks, look for manifests behind them, decide, commit.

The watermark of a journal is a table property that is set in the commit that adds its files. So the
table itself says what it holds, whatever happened to this process, its disk or the answer to a
commit. A commit ends in one of three ways: done, refused, unknown; after anything but "done" the
watermarks are read back, and what they say is the truth. The base snapshot is a requirement of each
commit, so one that arrives late finds the table changed and is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cloud_sync.config import Verify
from cloud_sync.lake.inspection import Inspector
from cloud_sync.lake.record import TableRecord
from cloud_sync.lake.registration import Held, Plan, new_marks, plan
from cloud_sync.lake.repairs import Repairs
from cloud_sync.lake.sharing import Sharing
from cloud_sync.lake.table import ReadingsTable
from headrace.errors import (
    CommitConflict,
    CommitUnknown,
    FilesRefused,
    LakeError,
    LakeNewer,
    LakeUnavailable,
)
from headrace.lake.manifests import unregistered, watermark_of
from headrace.lake.store import Store
from headrace.landing import Manifest, ManifestName, manifest_name
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
        self._inspector = Inspector(store, table, verify=verify)
        self._repairs = Repairs(store)
        self._record = TableRecord(store)
        self._sharing = Sharing()
        self._warned: set[str] = set()
        self._blocked: dict[tuple[str, str], Held] = {}
        self._said: set[Held] = set()
        self._journals_at_once: int | None = None
        self.held: tuple[Held, ...] = ()
        #: As the table had them at the last look.
        self.marks: dict[str, int] = {}

    def watermarks(self) -> dict[str, int]:
        """As the table has them now."""
        return self._table.watermarks()

    def begin(self) -> None:
        """A new pass: what was bad is looked at again, it may have been mended.

        Raises:
            LakeError: as ``next``, or the table is of a version that must not be written to.
        """
        self._blocked.clear()
        self._journals_at_once = None
        self._said &= set(self.held)
        self._record.read()  # before the table: another registrar may commit in between
        self._table.watermarks()
        self._record.check(self._table.state(), self._table.follows)
        self._table.bring_up()

    def next(self) -> Plan:
        """What to commit next.

        Raises:
            LakeError: the table is gone, is another one, or has lost what was registered.
        """
        marks = self._table.watermarks()
        self._record.check(self._table.state(), self._table.follows)
        self.marks = marks
        names = self._with_given_up(unregistered(self._store, marks), marks)
        found = plan(
            names, marks, limit=REGISTER_MAX_MANIFESTS, blocked=frozenset(self._blocked),
            journals=self._journals_at_once,
        )  # fmt: skip
        for each in found.held:
            self._settle_hole(each)
        self._say(found.held)
        self.held = (*found.held, *self._blocked.values())
        return found

    def check(self, names: Sequence[ManifestName]) -> list[Manifest]:
        """The manifests, as far as they and their files are sound.

        A bad one blocks its journal, from there on, until its site has sent it again or cannot; the
        others go on.
        """
        sound: list[Manifest] = []
        for name in names:
            if (name.site, name.journal) not in self._blocked:
                manifest = self._examined(name)
                if manifest is not None:
                    sound.append(manifest)
                    self._sharing.see(manifest)
        self._warn()
        return sound

    def commit(self, manifests: Sequence[Manifest]) -> Registered:
        """Add the manifests' files in one commit.

        Raises:
            CommitConflict: it did not happen, because another writer was first.
            LakeUnavailable: it did not happen, try again. CommitUnknown: nobody knows yet.
            FilesRefused: it did not happen; see ``doubt``.
        """
        uris = [self._store.uri(file.path) for each in manifests for file in each.files]
        marks = new_marks(_name(manifest) for manifest in manifests)
        try:
            self._table.add(uris, marks)
        except LakeUnavailable as error:
            self._read_back(marks, error)
        self._record.follow(self._table.state())
        return Registered(len(manifests), len(uris), sum(each.rows for each in manifests))

    def tidy(self) -> None:
        """Keep the table's metadata small; where another process does it at the same time, next time."""
        with suppress(CommitConflict):
            self._table.expire(self._keep_snapshots)

    def _examined(self, name: ManifestName) -> Manifest | None:
        try:
            return self._inspector.examine(name)
        except LakeUnavailable:
            raise
        except LakeNewer as error:
            self._block(name, str(error))  # sound, so the site is not asked for it again
            return None
        except LakeError as error:
            waits_for = self._repairs.settle(name, error.message)
            if waits_for:
                self._block(name, f"{error.message}; {waits_for}")
                return None
            manifest, bad = self._inspector.salvage(name)
            self._repairs.give_up(
                name, error.message, missing=tuple(file.path for file in bad),
                rows=sum(file.rows for file in bad) if manifest.files or bad else None,
            )  # fmt: skip
            return manifest

    def _settle_hole(self, held: Held) -> None:
        """Manifests that are missing are asked for like damaged ones; one that a listing has left out is waited for."""
        if held.hole is not None:
            name = manifest_name(held.site, held.journal, *held.hole)
            if self._store.size(name.path) is None and not self._repairs.settle(name, held.why):
                self._repairs.give_up(name, held.why)

    def _with_given_up(
        self, names: list[ManifestName], marks: Mapping[str, int]
    ) -> list[ManifestName]:
        """With the names of holes that were given up: registered as nothing, they let the rest pass."""
        there = {(name.site, name.journal, name.first) for name in names}
        given_up = [
            name for name in self._repairs.given_up() if name.last > watermark_of(marks, name)
        ]
        return sorted(
            [
                *names,
                *(each for each in given_up if (each.site, each.journal, each.first) not in there),
            ]
        )

    def _read_back(self, wanted: dict[str, int], error: LakeUnavailable) -> None:
        try:
            marks = self._table.watermarks()
        except LakeUnavailable as again:
            raise CommitUnknown(f"the answer to a commit was lost: {error.message}") from again
        if any(marks.get(key, 0) < mark for key, mark in wanted.items()):
            raise error
        log.info("the answer to a commit was lost; the table says that it happened")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is strange and holds nothing up."""
        return self._sharing.warnings()

    def _warn(self) -> None:
        for each in set(self.warnings) - self._warned:
            log.warning("%s", each)
            self._warned.add(each)

    def _say(self, held: tuple[Held, ...]) -> None:
        """A hole is said when it shows, not at every look."""
        for each in set(held) - self._said:
            log.warning("held: %s", each)
        self._said |= set(held)

    def doubt(self, manifests: Sequence[Manifest], error: FilesRefused) -> None:
        """The table has refused these files together: half of the journals next, until it is known whose they are."""
        journals = {(each.site, each.journal) for each in manifests}
        if len(journals) == 1:
            self.refuse(manifests[0], error)
            self._journals_at_once = None
        else:
            self._journals_at_once = len(journals) // 2

    def refuse(self, manifest: Manifest, error: LakeError) -> None:
        """Block its journal for this pass."""
        self._block(_name(manifest), error.message)

    def _block(self, name: ManifestName, why: str) -> None:
        held = Held(name.site, name.journal, why)
        self._blocked[name.site, name.journal] = held
        self._say((held,))
        self.held = (*self.held, held)


def _name(manifest: Manifest) -> ManifestName:
    return ManifestName(
        manifest.site, manifest.journal, manifest.first, manifest.last, manifest.path
    )
