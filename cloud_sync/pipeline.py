"""The path of a batch from the journal into the lake: one call a line, in order."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cloud_sync.config import CloudSync
from cloud_sync.lake.confirm import Receipts, ask, confirm
from cloud_sync.lake.ledger import Ledger
from cloud_sync.lake.once import Once
from cloud_sync.lake.registrar import Registrar
from cloud_sync.lake.table import IcebergReadings, ReadingsTable
from cloud_sync.landing.lander import Lander
from cloud_sync.landing.lives import Lives
from cloud_sync.landing.parquet import encode_days
from cloud_sync.landing.resender import Resender
from cloud_sync.landing.steps import Bounds, Encoded, Next
from cloud_sync.tracing.port import OFF, Trace
from headrace.batch import is_device_id
from headrace.errors import (
    CommitConflict,
    FilesRefused,
    LakeError,
    LakeUnavailable,
    StorageError,
    UsageError,
)
from headrace.journal import JournalReader
from headrace.lake.opening import open_store
from headrace.lake.store import Store
from headrace.landing import Manifest, folder, odd_folder, watermark_key
from headrace.limits.lake import REGISTER_MAX_CONFLICTS, UPLOAD_ABANDONED_S
from headrace.logs import Condition
from headrace.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pipeline works on; tests put faulty ones in their place."""

    store: Store
    table: ReadingsTable
    open_journal: Callable[[Path], JournalReader] = JournalReader


def open_parts(config: CloudSync) -> Parts:
    """The parts that a configuration names; connects to nothing yet."""
    return Parts(open_store(config.lake), IcebergReadings(config.lake))


class Pipeline:
    """Landing and registering; each may be called by a thread of its own."""

    def __init__(
        self, config: CloudSync, parts: Parts, metrics: Metrics, trace: Trace = OFF
    ) -> None:
        self._config = config
        self._trace = trace
        self._metrics = metrics
        self._is_tidy = False
        self._may_look = Condition(log, "looking for landings to send again")
        self._may_list = Condition(log, "looking for landings of an older copy of the journal")
        self._may_ask = Condition(log, "asking what is registered")
        self._open(parts)

    def reopen(self) -> None:
        """Read keys and credentials anew: whoever refused us may have been given others."""
        self._open(replace(open_parts(self._config), open_journal=self._parts.open_journal))

    def _open(self, parts: Parts) -> None:
        self._parts = parts
        self._receipts = Receipts(parts.store)
        self._ledger = Ledger(parts.store)
        self._lives = Lives(parts.store)
        self._once = Once(parts.store, self._ledger, encode_days)
        self.registrar = Registrar(
            parts.store,
            parts.table,
            keep_snapshots=self._config.register.keep_snapshots,
            verify=self._config.register.verify,
        )

    def land(self) -> int:
        """Land all that is in the journal now; returns the number of readings."""
        with self._landing() as (lander, reader), ThreadPoolExecutor(2, "landing") as workers:
            lander.attach()
            self._tidy(reader)
            with self._where_allowed(self._may_list):
                self._lives.settle(lander, reader)
            self._metrics.set("lag_batches", lander.lag())  # also where nothing can land
            goal, landed = reader.head(), 0
            this, uploading = lander.next(lander.cursor), None
            while this is not None:
                encoding = workers.submit(self._encode, lander, this)
                this = lander.next(this.last) if this.last < goal else None
                encoded = encoding.result()
                landed += self._finish(lander, uploading)
                lander.begin(encoded)
                uploading = encoded, workers.submit(self._upload, lander, encoded)
            landed += self._finish(lander, uploading)
            self._lives.leave(reader)
            self._metrics.set("lag_batches", lander.lag())
            self._resend(lander, reader)
        return landed

    def _finish(self, lander: Lander, uploading: tuple[Encoded, Future[None]] | None) -> int:
        if uploading is None:
            return 0
        encoded, upload = uploading
        upload.result()
        plan, path = encoded.plan, encoded.manifest.path
        with self._trace.landed(plan.first, plan.last, path, encoded.readings):
            lander.finish(encoded)
        self._metrics.count("landed_readings", encoded.readings)
        return encoded.readings

    def _encode(self, lander: Lander, this: Next) -> Encoded:
        with self._trace.step("encode", this.first, this.last):
            return lander.encode(this)

    def _upload(self, lander: Lander, encoded: Encoded) -> None:
        with self._trace.step("upload", encoded.plan.first, encoded.plan.last):
            lander.upload(encoded)

    def _tidy(self, reader: JournalReader) -> None:
        """Once a start: what uploads that were given up have left behind."""
        if not self._is_tidy:
            for prefix in (
                folder(reader.site, reader.journal_id),
                odd_folder(reader.site, reader.journal_id),
            ):
                self._parts.store.tidy(prefix, older_than_s=UPLOAD_ABANDONED_S)
            self._is_tidy = True

    def _resend(self, lander: Lander, reader: JournalReader) -> None:
        """Make damaged landings again, where a registrar asks for it and this site may look."""
        with self._where_allowed(self._may_look):
            made = Resender(lander, self._parts.store, journal=reader.journal_id).run()
            self._metrics.count("resent_landings", made)

    def register(self) -> int:
        """Register all that has landed; returns the number of readings."""
        registered, conflicts = 0, 0
        self.registrar.begin()
        while (sound := self._next()) is not None:
            try:
                registered += self._commit(sound)
            except FilesRefused as error:
                self.registrar.doubt(sound, error)
            except CommitConflict as error:
                # Mostly a compaction's commit: it takes 50 ms, a pause would take a second.
                conflicts += 1
                if conflicts > REGISTER_MAX_CONFLICTS:
                    raise
                self._metrics.count("lost_registrations")
                log.info("%s; again at once", error)
        self._metrics.set("held_journals", len(self.registrar.held))
        return registered

    def _next(self) -> list[Manifest] | None:
        """What to commit next; None when nothing is left."""
        plan = self.registrar.next()
        self._confirm()
        return self.registrar.check(plan.manifests) if plan.manifests else None

    def _commit(self, sound: list[Manifest]) -> int:
        """Register manifests in one commit; the number of readings that it added."""
        registrar = self.registrar
        manifests = self._once.only_new(sound, registrar.marks, registrar.refuse)
        if not manifests:
            return 0  # all of them bad: their journals are left out of the next plan
        with self._trace.registration([each.path for each in manifests]):
            added = registrar.commit(manifests)
        self._ledger.keep_up(manifests)
        registrar.tidy()
        landed = {each.path: each.rows for each in sound}
        repeated = sum(landed[each.path] - each.rows for each in manifests)
        self._metrics.count("repeated_readings", repeated)
        self._metrics.count("registered_readings", added.rows)
        self._metrics.count("registered_files", added.files)
        return added.rows

    def ask(self) -> int:
        """Where a registrar elsewhere registers: learn how far it is. Returns 0: nothing is registered here."""
        with self._open_journal() as reader, self._where_allowed(self._may_ask):
            self._metrics.set("unregistered_batches", ask(reader, self._parts.store))
        return 0

    @contextmanager
    def _where_allowed(self, condition: Condition) -> Iterator[None]:
        """A site that may only write can land all the same; what it cannot do is said once."""
        try:
            yield
        except LakeUnavailable:
            raise
        except LakeError as error:
            condition.bad(error)
        else:
            condition.good()

    def _confirm(self) -> None:
        """Tell what the table has: the journal here by a cursor, others by their receipts."""
        own = None
        path = self._config.journal.path
        if path.exists():
            with self._parts.open_journal(path) as reader:
                own = (reader.site, reader.journal_id)
                behind = confirm(reader, self.registrar.marks.get(watermark_key(*own), 0))
                self._metrics.set("unregistered_batches", behind)
        self._receipts.tell(self.registrar.marks, but=own)

    def key(self) -> tuple[str, str]:
        """Site and id of the journal."""
        with self._open_journal() as reader:
            return reader.site, reader.journal_id

    def _open_journal(self) -> JournalReader:
        """Opened for each pass, so that a journal that was replaced is noticed."""
        path = self._config.journal.path
        if not path.exists():
            raise StorageError(f"no journal at {path} yet", hint="start the gateway")
        reader = self._parts.open_journal(path)
        if not reader.site:
            reader.close()
            raise StorageError(f"journal {path} names no site yet", hint="start the gateway")
        if not is_device_id(reader.site):
            reader.close()
            raise UsageError(
                f"journal {path}: site {reader.site!r} cannot be part of a path; "
                "expected letters, digits, '.', '_' and '-'"
            )
        return reader

    @contextmanager
    def _landing(self) -> Iterator[tuple[Lander, JournalReader]]:
        landing = self._config.landing
        bounds = Bounds(
            max_rows=landing.max_rows, max_bytes=landing.max_bytes,
            keep_s=landing.keep_s, keep_bytes=landing.keep_bytes,
        )  # fmt: skip
        with self._open_journal() as reader, _alone(reader.path):
            yield Lander(reader, self._parts.store, site=reader.site, bounds=bounds), reader


@contextmanager
def _alone(journal: Path) -> Iterator[None]:
    """One process lands a journal at a time: two would write the same objects."""
    path = journal.with_name(journal.name + ".landing-lock")
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                f"another cloud-sync is landing {journal} right now", hint="let it, or stop it"
            ) from error
        yield
