"""Owns the file: one group, one transaction, or nothing happened."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway.ingest.dedup import Seen
from gateway.ingest.inbox import Submission
from gateway.ingest.reading import Accepted, Refused
from gateway.journal.disk_room import DiskRoom
from gateway.journal.keys import Keys
from gateway.journal.quarantine_bound import QuarantineBound
from gateway.journal.retention import Retention
from gateway.journal.transaction import Committed, Transaction
from headrace.batch import new_gateway_stream_id, new_stream_id
from headrace.clock import Clock
from headrace.errors import StorageError, StorageFull
from headrace.journal.lost import Lost
from headrace.journal.schema import create, meta
from headrace.metrics import Metrics
from headrace.sqlite import storage_errors

logger = logging.getLogger(__name__)


class JournalWriter:
    """Owns the journal file; used by one thread."""

    def __init__(
        self, path: Path, *, site: str, clock: Clock, metrics: Metrics, retention: Retention
    ) -> None:
        self.path = path
        self._clock = clock
        self._metrics = metrics
        self._retention = retention
        self._room = DiskRoom(path)
        self._quarantine = QuarantineBound()
        self._db = create(path)
        with storage_errors("journal", path):
            self._set_meta_once("site", site)
            self._unnamed_stream = self._set_meta_once("unnamed_stream", new_gateway_stream_id())
            self._derived_stream = self._set_meta_once("derived_stream", new_stream_id())
            self._keyed_stream = self._set_meta_once("keyed_stream", new_stream_id())
            self.keys = Keys(self._db, clock)
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'site'", (site,))
            self.seen = Seen(self._db.execute("SELECT device, stream, first, last FROM ranges"))
            row = self._db.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"
            ).fetchone()
        self.head = int(row[0]) if row else 0

    def _set_meta_once(self, key: str, value: str) -> str:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))
        return meta(self._db, key)

    def register(self, consumer: str, *, required: bool) -> tuple[int, dict[str, bytes]]:
        """Make a consumer known; returns its cursor and its stored state."""
        with storage_errors("journal", self.path):
            self._db.execute(
                "INSERT INTO cursors VALUES (?, 0, ?) "
                "ON CONFLICT (consumer) DO UPDATE SET required = excluded.required",
                (consumer, int(required)),
            )
            (offset,) = self._db.execute(
                "SELECT offset FROM cursors WHERE consumer = ?", (consumer,)
            ).fetchone()
            rows = self._db.execute(
                "SELECT key, value FROM consumer_state WHERE consumer = ?", (consumer,)
            ).fetchall()
        return int(offset), {str(key): bytes(value) for key, value in rows}

    def commit(
        self,
        accepted: Sequence[Accepted],
        refused: Sequence[Refused],
        submissions: Sequence[Submission],
    ) -> Committed:
        """Put one group on disk.

        Raises:
            StorageFull: disk full or over the budget; nothing was changed.
            StorageError: the file failed; nothing was changed.
        """
        if accepted:
            self._retention.check_budget()
            self._check_room(accepted)
        if refused:
            self._trim_quarantine()
        started = time.perf_counter()
        with self._transaction() as transaction:
            for batch in accepted:
                transaction.add_batch(batch)
            for refusal in refused:
                transaction.add_refused(refusal)
            for submission in submissions:
                transaction.add_submission(submission)
            transaction.write()
        self._metrics.observe("commit_seconds", time.perf_counter() - started)
        return transaction.committed

    def _check_room(self, accepted: Sequence[Accepted]) -> None:
        try:
            with storage_errors("journal", self.path):
                self._room.check(self._db, sum(len(batch.payload) for batch in accepted))
        except StorageFull:
            self._retention.disk_is_full()
            raise

    def forget(self, lost: Sequence[Lost]) -> None:
        """Take readings for never seen: devices still have them, and the journal has not."""
        with self._transaction() as transaction:
            for each in lost:
                transaction.forget(each)
            transaction.write()
        for each in lost:
            logger.warning(
                "offset %d was damaged before it landed: %s is to send %d-%d again",
                each.offset, each.device, each.first, each.last,
                extra={"device": each.device, "stream": each.stream},
            )  # fmt: skip

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        transaction = Transaction(
            self._db, self.seen, self.keys, self.head, self._unnamed_stream, self._derived_stream,
            self._keyed_stream, self._clock.now_us(),
        )  # fmt: skip
        try:
            with storage_errors("journal", self.path):
                self._db.execute("BEGIN IMMEDIATE")
                yield transaction
                self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, StorageFull):
                self._retention.disk_is_full()
                self._metrics.count("commit_failures", reason="full")
            elif isinstance(error, StorageError):
                self._metrics.count("commit_failures", reason="storage")
            raise
        self.seen.apply(transaction.stage)
        self.keys.count += len(transaction.keyed)
        self._quarantine.added(*transaction.quarantined)
        self.head = transaction.head

    def tidy(self) -> None:
        """Drop what nobody needs any more; cheap when there is nothing to do."""
        with storage_errors("journal", self.path):
            self._retention.prune(self._db)
            self.keys.forget()
        self._trim_quarantine()
        self._metrics.set("journal_head", self.head)
        self._metrics.set("journal_bytes", self._retention.used_bytes)

    def _trim_quarantine(self) -> None:
        """Before more comes, never behind a commit: what fails there would have it repeated."""
        with storage_errors("journal", self.path):
            trimmed = self._quarantine.trim(self._db)
        if trimmed:
            self._metrics.count("trimmed_payloads", trimmed)
            logger.warning("%d payloads have left quarantine: its bound is reached", trimmed)

    def close(self) -> None:
        self._db.close()
