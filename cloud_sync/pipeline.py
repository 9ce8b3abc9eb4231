"""The path of a batch from the journal into the lake: one call a line, in order."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloud_sync.config import CloudSync
from cloud_sync.lake.confirm import Receipts, ask, confirm
from cloud_sync.lake.ledger import Ledger
from cloud_sync.lake.once import Once
from cloud_sync.lake.registrar import Registrar
from cloud_sync.lake.table import IcebergReadings, ReadingsTable
from cloud_sync.landing.lander import Lander, Next
from cloud_sync.landing.parquet import encode_days
from headrace.batch import is_device_id
from headrace.errors import LakeError, LakeUnavailable, StorageError, UsageError
from headrace.journal import JournalReader
from headrace.lake.opening import open_store
from headrace.lake.store import Store
from headrace.landing import watermark_key
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

    def __init__(self, config: CloudSync, parts: Parts, metrics: Metrics) -> None:
        self._config = config
        self._parts = parts
        self._metrics = metrics
        self.registrar = Registrar(
            parts.store,
            parts.table,
            keep_snapshots=config.register.keep_snapshots,
            verify=config.register.verify,
        )
        self._receipts = Receipts(parts.store)
        self._ledger = Ledger(parts.store)
        self._once = Once(parts.store, self._ledger, encode_days)
        self._may_ask = Condition(log, "asking what is registered")

    def land(self) -> int:
        """Land all that is in the journal now; returns the number of readings."""
        with (
            self._open_journal() as reader,
            _alone(reader.path),
            ThreadPoolExecutor(1, "encoding") as encoder,
        ):
            lander = self._lander(reader)
            lander.attach()
            goal = reader.head()
            landed = 0
            following = lander.next(lander.cursor)
            while following is not None:
                rows, following = self._land(lander, following, goal, encoder)
                landed += rows
            self._metrics.set("lag_batches", lander.lag())
        return landed

    def _land(
        self, lander: Lander, this: Next, goal: int, encoder: Executor
    ) -> tuple[int, Next | None]:
        """Land one range; while its files are encoded and put, the next one is read and decoded.

        Returns:
            The readings that landed, and what lands next, up to the journal offset ``goal``.
        """
        lander.begin(this.span)
        encoding = None if this.has_landed else encoder.submit(lander.put_files, this)
        following = lander.next(this.span.last) if this.span.last < goal else None
        if encoding is not None:
            lander.put_manifest(encoding.result())
        lander.done(this.span)
        rows = 0 if this.has_landed else this.table.num_rows
        self._metrics.count("landed_readings", rows)
        return rows, following

    def register(self) -> int:
        """Register all that has landed; returns the number of readings."""
        registered = 0
        self.registrar.begin()
        while True:
            plan = self.registrar.next()
            self._confirm()
            if not plan.manifests:
                return registered
            sound = self.registrar.check(plan.manifests)
            manifests = self._once.only_new(sound, self.registrar.marks, self.registrar.refuse)
            if not manifests:
                continue  # all of them bad: their journals are left out of the next plan
            added = self.registrar.commit(manifests)
            self._ledger.keep_up(manifests)
            self.registrar.tidy()
            landed = {each.path: each.rows for each in sound}
            repeated = sum(landed[each.path] - each.rows for each in manifests)
            self._metrics.count("repeated_readings", repeated)
            self._metrics.count("registered_readings", added.rows)
            self._metrics.count("registered_files", added.files)
            registered += added.rows

    def ask(self) -> int:
        """Where a registrar elsewhere registers: learn how far it is. Returns 0: nothing is registered here."""
        with self._open_journal() as reader:
            try:
                self._metrics.set("unregistered_batches", ask(reader, self._parts.store))
            except LakeUnavailable:
                raise
            except LakeError as error:
                # A site that may only write lands all the same; its devices must not wait for the lake.
                self._may_ask.bad(error)
            else:
                self._may_ask.good()
        return 0

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

    def _lander(self, reader: JournalReader) -> Lander:
        landing = self._config.landing
        return Lander(
            reader,
            self._parts.store,
            site=reader.site,
            max_rows=landing.max_rows,
            max_bytes=landing.max_bytes,
        )


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
