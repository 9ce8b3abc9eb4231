"""The buffer's one writer: append sealed batches, hand them out in order, forget them when told.

Used by two sides at once: inputs and the sealer append, the uplink reads and forgets. What is in the
log and not acknowledged is also in memory (at most ``BUFFER_LOG_BYTES``), so the log is read at start
only. One lock covers log, tables and memory. Only one process may write a buffer; a lock file sees
to that, because two agents on one buffer would give one number to two readings.

Where a commit goes::

    small                     a record of the log
    small, no room in it      fold (one SQLite transaction), then a record of the log that starts over
    large                     fold, with the new batches in it
"""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import msgspec

from edge_agent.buffer.batches import Counts, StoredBatch, from_logged, to_logged
from edge_agent.buffer.files import set_aside, take_lock
from edge_agent.buffer.log import CommitLog, log_path
from edge_agent.buffer.meter import written_bytes
from edge_agent.buffer.room import POLICIES, Clearing
from edge_agent.buffer.schema import WhenFull
from edge_agent.buffer.tables import Tables
from headrace.buffer_log import Record, Tail, Totals, read_tail
from headrace.clock import Clock
from headrace.errors import StorageCorrupt, StorageFull
from headrace.limits import (
    BUFFER_LOG_COMMIT_BYTES,
    BUFFER_ROOM_STEPS,
    BUFFER_WAITING_SHARE,
)
from headrace.ranges import Range

__all__ = ["Counts", "Store", "StoredBatch"]

_log = logging.getLogger(__name__)


class Store:
    """An open buffer.

    Args:
        path: the file; created with its folder when missing.
        device: whose buffer it is. A file that belongs to another device is refused.
        max_bytes: budget for the pages in use.
        when_full: what makes room when the budget is used up.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str,
        max_bytes: int,
        clock: Clock,
        when_full: WhenFull = "refuse_new",
    ) -> None:
        self.path = path
        self._max_bytes, self._clock = max_bytes, clock
        self._policy = POLICIES[when_full]()
        self._lock = threading.Lock()
        self._space = threading.Condition()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock_file = take_lock(path)
        try:
            self._open_or_replace(device)
        except BaseException:
            os.close(self._lock_file)
            raise

    # --- opening ----------------------------------------------------------------------------------

    def _open_or_replace(self, device: str) -> None:
        try:
            self._open(device)
        except StorageCorrupt as error:
            aside = set_aside(self.path, self._clock)
            _log.error(
                "%s; moved to %s, and a new stream is started: readings that were only in the old "
                "file are not sent (edge-agent buffer export reads what is left of it)", error, aside,
            )  # fmt: skip
            self._open(device)

    def _open(self, device: str) -> None:
        self._tables = tables = Tables(self.path, device)
        try:
            tail = read_tail(
                log_path(self.path), tables.log_id, lsn=tables.lsn, next_seq=tables.next_seq,
                totals=tables.totals,
            )  # fmt: skip
            self._records = CommitLog(log_path(self.path), tail)
        except BaseException:
            tables.close()
            raise
        self._recover(tail)

    def _recover(self, tail: Tail) -> None:
        """Go on where the log ends."""
        self.stream, self.next_seq = self._tables.stream, tail.next_seq
        self._totals = tail.totals
        self._pending = {first: from_logged(batch) for first, batch in tail.batches.items()}
        self._checkpoints = tail.checkpoints  # those that SQLite does not have yet
        self._gone: list[
            int
        ] = []  # batches of the log that were acknowledged since its last record
        self._lent = 0
        self._recorded_at = self._clock.monotonic()
        self._meter = (tail.totals, written_bytes(), self._recorded_at)
        if tail.damaged:
            _log.error("buffer log %s: %d readings are damaged", log_path(self.path), tail.damaged)
            self._fold(self._totals)

    # --- appending --------------------------------------------------------------------------------

    def append(
        self,
        batches: Sequence[StoredBatch],
        *,
        sampled: int,
        dropped: Mapping[str, int],
        checkpoints: Mapping[str, str],
    ) -> Mapping[str, int]:
        """Store batches that start at ``next_seq``; all or nothing, on disk when this returns.

        Returns:
            Stored readings that made room for them, by reason.

        Raises:
            StorageFull: over the budget, or the disk is full; nothing was stored.
            StorageError: the write failed; nothing was stored.
        """
        next_seq = batches[-1].last_seq + 1 if batches else self.next_seq
        with self._lock:
            made_room = self._make_room(sum(len(batch.payload) for batch in batches))
            totals = _changed(self._totals, sampled, dropped)
            self._commit(batches, next_seq, totals, checkpoints)
        return made_room

    def refuse(
        self, rows: int, *, dropped: Mapping[str, int], checkpoints: Mapping[str, str]
    ) -> None:
        """Note that readings are dropped; ``rows`` of them use up their numbers.

        Raises:
            StorageError: not even that could be written; say it again with the next ones.
        """
        with self._lock:
            totals = _changed(self._totals, sum(dropped.values()), dropped)
            self._commit((), self.next_seq + rows, totals, checkpoints)

    def settle(self, after_s: float) -> None:
        """Write acks that no commit has carried for that long, so that a restart does not resend.

        Raises:
            StorageError: the write failed; they ride with the next commit.
        """
        with self._lock:
            due = self._recorded_at + after_s
            if self._gone and self._clock.monotonic() >= due:
                self._commit((), self.next_seq, self._totals, {})

    # --- committing; the lock is held -------------------------------------------------------------

    def _commit(
        self,
        batches: Sequence[StoredBatch],
        next_seq: int,
        totals: Totals,
        checkpoints: Mapping[str, str],
    ) -> None:
        totals = self._metered(totals)
        small = sum(len(batch.payload) for batch in batches) <= BUFFER_LOG_COMMIT_BYTES
        if small and self._record(batches, next_seq, totals, checkpoints):
            self._pending.update((batch.first_seq, batch) for batch in batches)
            self._checkpoints.update(checkpoints)
            self._totals, self.next_seq = totals, next_seq
            return
        if small and self._pending_or_recorded():
            self._fold(self._totals)
            self._commit(batches, next_seq, totals, checkpoints)
            return
        self._fold(totals, batches, next_seq=next_seq, checkpoints=checkpoints)

    def _pending_or_recorded(self) -> bool:
        return self._records.lsn > self._tables.lsn

    def _record(
        self,
        batches: Sequence[StoredBatch],
        next_seq: int,
        totals: Totals,
        checkpoints: Mapping[str, str],
    ) -> bool:
        logged = [to_logged(batch) for batch in batches]
        record = Record(totals, dict(checkpoints), logged, self._gone)
        if not self._records.append(record, before_seq=self.next_seq, next_seq=next_seq):
            return False
        self._gone = []
        self._recorded_at = self._clock.monotonic()
        return True

    def _fold(
        self,
        totals: Totals,
        batches: Sequence[StoredBatch] = (),
        *,
        next_seq: int | None = None,
        checkpoints: Mapping[str, str] | None = None,
        delete: Sequence[Range] = (),
    ) -> None:
        """Put what the log holds, and more, into SQLite; the log starts over."""
        following = self.next_seq if next_seq is None else next_seq
        self._tables.fold(
            (*self._pending.values(), *batches),
            totals=totals,
            next_seq=following,
            lsn=self._records.lsn,
            checkpoints={**self._checkpoints, **(checkpoints or {})},
            delete=delete,
        )
        self._tables.lsn = self._records.lsn
        self._records.start_over()
        self._pending, self._checkpoints, self._gone = {}, {}, []
        self._totals, self.next_seq = totals, following
        self._recorded_at = self._clock.monotonic()

    def _metered(self, totals: Totals) -> Totals:
        """With what this process has written since it opened the buffer."""
        before, bytes_then, then = self._meter
        return msgspec.structs.replace(
            totals,
            written_bytes=before.written_bytes + written_bytes() - bytes_then,
            written_s=before.written_s + self._clock.monotonic() - then,
            written_readings=before.written_readings + totals.sampled - before.sampled,
        )

    # --- making room; the lock is held ------------------------------------------------------------

    def _make_room(self, size: int) -> Mapping[str, int]:
        if not size or self._over_by(size) <= 0:
            return {}
        if self._pending:
            self._fold(self._totals)
        dropped: Counter[str] = Counter()
        for _ in range(BUFFER_ROOM_STEPS):
            needed = self._over_by(size)
            if needed <= 0:
                return dropped
            made = self._policy.clear(self._tables, lent=self._lent, needed=needed)
            if made.delete:
                self._clear(made)
                dropped.update(made.dropped)
        if self._over_by(size) > 0:
            raise StorageFull(
                f"buffer {self.path}: {self._max_bytes} bytes are used up",
                hint="raise buffer.max_bytes, or look why the gateway does not acknowledge",
            )
        return dropped

    def _clear(self, made: Clearing) -> None:
        totals = _changed(self._totals, 0, made.dropped)
        self._fold(totals, made.add, delete=made.delete)

    def _over_by(self, size: int) -> int:
        return self._used_bytes() + size - self._max_bytes

    def _used_bytes(self) -> int:
        pending = sum(len(batch.payload) for batch in self._pending.values())
        return self._tables.used_bytes() + pending

    # --- handing out ------------------------------------------------------------------------------

    def read(self, after: int) -> Generator[StoredBatch, None, None]:
        """Batches behind the number ``after``, in order, as long as the caller asks for more.

        One thread at a time. A payload that does not match its checksum is dropped and counted. What
        was handed out is left alone by whatever makes room until it is forgotten.
        """
        # First the log's, then the tables': a fold in between is seen in both, never in neither.
        with self._lock:
            pending = [batch for first, batch in self._pending.items() if first > after]
        for batch, sound in self._tables.read(after):
            after = batch.last_seq
            if sound:
                self._lend(batch)
                yield batch
            else:
                _log.error(
                    "buffer %s: batch %d-%d is damaged", self.path, batch.first_seq, batch.last_seq
                )
                self.drop([(batch.first_seq, batch.last_seq)], "damaged")
        for batch in pending:
            if batch.first_seq > after:
                self._lend(batch)
                yield batch

    def _lend(self, batch: StoredBatch) -> None:
        with self._lock:
            self._lent = max(self._lent, batch.last_seq)

    def checkpoint(self, key: str) -> str | None:
        """Where the input of that key goes on."""
        with self._lock:
            return self._checkpoints.get(key) or self._tables.checkpoint(key)

    # --- forgetting -------------------------------------------------------------------------------

    def forget(self, ranges: Sequence[Range]) -> int:
        """Delete what the gateway has on disk; returns how many readings that were."""
        with self._lock:
            rows = self._tables.forget(ranges) if self._tables.rows else 0
            for first in self._pending_in(ranges):
                rows += self._pending.pop(first).rows
                self._gone.append(first)
        self._tell_space()
        return rows

    def drop(self, ranges: Sequence[Range], reason: str) -> int:
        """Delete what will never be acknowledged, and count it; on disk when this returns."""
        with self._lock:
            rows = self._tables.count(ranges)
            rows += sum(self._pending[first].rows for first in self._pending_in(ranges))
            if rows:
                for first in self._pending_in(ranges):
                    del self._pending[first]
                self._fold(_changed(self._totals, 0, {reason: rows}), delete=ranges)
        self._tell_space()
        return rows

    def _pending_in(self, ranges: Sequence[Range]) -> list[int]:
        return [
            batch.first_seq
            for batch in self._pending.values()
            if any(first <= batch.first_seq and batch.last_seq <= last for first, last in ranges)
        ]

    def _tell_space(self) -> None:
        with self._space:
            self._space.notify_all()

    # --- state ------------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """The persistent counters as they are now."""
        with self._lock:
            buffered = self._tables.rows + sum(batch.rows for batch in self._pending.values())
            totals = self._totals
        acknowledged = totals.sampled - sum(totals.dropped.values()) - buffered
        return Counts(totals.sampled, acknowledged, totals.dropped)

    def used_bytes(self) -> int:
        """Bytes of pages in use, and of what will come from the log."""
        with self._lock:
            return self._used_bytes()

    def has_room_for_waiting(self) -> bool:
        """Whether inputs that can wait may go on; the last quarter is kept for those that cannot."""
        return self.used_bytes() < self._max_bytes * BUFFER_WAITING_SHARE

    def wait_for_space(self, timeout_s: float) -> None:
        """Sleep until something was forgotten, or the time is over."""
        with self._space:
            self._space.wait(timeout_s)

    def close(self) -> None:
        """Close the files; what was appended is on disk already, and so is everything else now."""
        with self._lock:
            try:
                if self._pending_or_recorded() or self._gone:
                    self._fold(self._metered(self._totals))
            except StorageFull as error:
                _log.warning("%s; what is in the log stays there until the next start", error)
            finally:
                self._records.close()
                self._tables.close()
                os.close(self._lock_file)


def _changed(totals: Totals, sampled: int, dropped: Mapping[str, int]) -> Totals:
    return msgspec.structs.replace(
        totals,
        sampled=totals.sampled + sampled,
        dropped=dict(Counter(totals.dropped) + Counter(dropped)),
    )
