"""Reading back what has landed, and what the table refers to: `cloud-sync verify`.

Each data file with a manifest is read and compared with its checksum; of files that maintenance has written
since, the table's own entry says the size, and the footer must be readable. What is damaged is asked for
at its site (``repairs``), which puts it back byte for byte as long as its journal has the readings. The table
itself is held against the record of it (``record``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from cloud_sync.lake.inspection import check_content
from cloud_sync.lake.record import TABLE, TableRecord
from cloud_sync.lake.repairs import Repairs
from cloud_sync.lake.table import ReadingsTable
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.manifests import all_manifests, read_manifest, watermark_of
from headrace.lake.store import Store
from headrace.landing import DataFile, Manifest, ManifestName

Scope = Literal["landed", "registered", "all"]


@dataclass(frozen=True, slots=True)
class Damage:
    """One object that is not what it should be, and what is done about it."""

    path: str
    why: str
    then: str


@dataclass(slots=True)
class Report:
    """What a verification has seen."""

    objects: int = 0
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to verify: which part, of which site, how many of a hundred, how fast.

    ``chance`` gives a number from 0 to 1 for each file, ``pause`` sleeps.
    """

    scope: Scope = "all"
    site: str = ""
    share: float = 1.0
    bytes_per_s: float = 0.0
    chance: Callable[[], float]
    pause: Callable[[float], None] = time.sleep


class Verifier:
    """Reads objects of the lake back."""

    def __init__(self, store: Store, table: ReadingsTable, choice: Choice) -> None:
        self._store = store
        self._table = table
        self._choice = choice
        self._repairs = Repairs(store)
        self._record = TableRecord(store)
        self._record.read()  # before the table: others may commit in between
        self.marks = table.watermarks()
        #: Sizes of the table's files by their addresses; those that were not looked at yet.
        self.files = table.files()
        self.report = Report()

    def run(self) -> Iterator[int]:
        """Verify; yields the bytes of each object that was looked at, for a progress bar."""
        self._held_against_record()
        for name in all_manifests(self._store, site=self._choice.site):
            registered = name.last <= watermark_of(self.marks, name)
            if self._choice.scope in ("all", "registered" if registered else "landed"):
                yield from self._landing(name, registered=registered)
        if self._choice.scope != "landed" and not self._choice.site:
            yield from self._others()

    def _held_against_record(self) -> None:
        try:
            self._record.check(self._table.state(), self._table.follows)
        except LakeUnavailable:
            raise
        except LakeError as error:
            self.report.damaged.append(Damage(TABLE, error.message, error.hint))

    def _landing(self, name: ManifestName, *, registered: bool) -> Iterator[int]:
        manifest = self._manifest(name, registered=registered)
        bad: dict[str, str] = {}
        for file in self._needed(manifest, registered=registered):
            if self._choice.chance() < self._choice.share:
                if not self._is_sound(file):
                    bad[file.path] = file.sha256
                yield file.bytes
        if bad and (registered or not self._repairs.is_given_up(name)):
            self._ask(name, bad, registered=registered)

    def _needed(self, manifest: Manifest | None, *, registered: bool) -> Iterator[DataFile]:
        """Its files, without those that maintenance has rewritten since: the table needs them no more."""
        if manifest is None:
            return
        for file in manifest.files:
            known = self.files.pop(self._store.uri(file.path), None)
            if known is not None or not registered:
                yield file
        if manifest.odd is not None:
            yield manifest.odd

    def _manifest(self, name: ManifestName, *, registered: bool) -> Manifest | None:
        try:
            return read_manifest(self._store, name)
        except LakeUnavailable:
            raise
        except LakeError as error:
            if not registered and not self._repairs.is_given_up(name):
                then = self._repairs.settle(name, error.message)
                self.report.damaged.append(Damage(name.path, error.message, then))
            return None

    def _is_sound(self, file: DataFile) -> bool:
        data = self._store.get(file.path) or b""
        self._count(len(data))
        try:
            check_content(file, data)
        except LakeError:
            return False
        return True

    def _ask(self, name: ManifestName, bad: dict[str, str], *, registered: bool) -> None:
        why = "content differs from the checksum"
        then = self._repairs.settle(name, why, files=bad, registered=registered)
        self.report.damaged += [Damage(path, why, then) for path in bad]

    def _others(self) -> Iterator[int]:
        """Files of the table that no manifest speaks of: maintenance made them."""
        for uri, size in self.files.items():
            try:
                self._table.footer(uri, size=size)
            except LakeUnavailable:
                raise
            except LakeError as error:
                why = "nothing can be sent again for it: restore the object from a copy"
                self.report.damaged.append(Damage(uri, error.message, why))
            self._count(0)
            yield size

    def _count(self, size: int) -> None:
        self.report.objects += 1
        self.report.bytes += size
        if self._choice.bytes_per_s:
            self._choice.pause(size / self._choice.bytes_per_s)
