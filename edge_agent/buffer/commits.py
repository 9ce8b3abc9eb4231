"""What the buffer holds and how it gets to disk: the log, the tables, and what only the log has.

What is in the log and not acknowledged is also in memory (at most ``BUFFER_LOG_BYTES``), so the log
is read at start only. Nothing here locks: ``store`` calls with its lock held.

Where a commit goes::

    small                     a record of the log
    small, no room in it      fold (one SQLite transaction), then a record of the log that starts over
    large                     fold, with the new batches in it
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from edge_agent.buffer.batches import Counts, StoredBatch, from_logged, to_logged
from edge_agent.buffer.log import CommitLog, log_path
from edge_agent.buffer.meter import written_bytes
from edge_agent.buffer.tables import Tables
from headrace.buffer_log import Record, Tail, Totals, read_tail
from headrace.clock import Clock
from headrace.errors import StorageError, StorageFull
from headrace.limits.agent import BUFFER_DISK_RESERVE_BYTES, BUFFER_LOG_COMMIT_BYTES
from headrace.logs import Condition
from headrace.ranges import Range, RangeSet

_log = logging.getLogger(__name__)


class Commits:
    """An open buffer's log and tables.

    Raises:
        StorageCorrupt: they are damaged.
        UsageError: they belong to another device.
    """

    def __init__(self, path: Path, *, device: str, clock: Clock) -> None:
        self.path, self._clock = path, clock
        self.tables = tables = Tables(path, device)
        try:
            tail = read_tail(
                log_path(path), tables.log_id, lsn=tables.lsn, next_seq=tables.next_seq,
                totals=tables.totals,
            )  # fmt: skip
            self.log = CommitLog(log_path(path), tail)
        except BaseException:
            tables.close()
            raise
        self._recover(tail)

    def _recover(self, tail: Tail) -> None:
        """Go on where the log ends."""
        self.stream, self.next_seq = self.tables.stream, tail.next_seq
        self.totals = tail.totals
        self._pending = {first: from_logged(batch) for first, batch in tail.batches.items()}
        self._checkpoints = tail.checkpoints  # those that SQLite does not have yet
        # What was acknowledged, or has to be dropped, and could not be deleted, because the disk is full.
        self._owed = RangeSet()
        self._owed_drops: list[tuple[tuple[Range, ...], str]] = []
        self._deleting = Condition(_log, f"buffer {self.path} cannot delete what is acknowledged")
        # Batches of the log that were acknowledged since its last record.
        self._gone: list[int] = []
        self._recorded_at = self._clock.monotonic()
        self._meter = (tail.totals, written_bytes(), self._recorded_at)
        if tail.damaged:
            _log.error("buffer log %s: %d readings are damaged", log_path(self.path), tail.damaged)
            self.fold(self.totals)

    # --- committing -------------------------------------------------------------------------------

    def commit(
        self,
        batches: Sequence[StoredBatch],
        next_seq: int,
        totals: Totals,
        checkpoints: Mapping[str, str],
    ) -> None:
        """All of it or nothing; on disk when this returns.

        Raises:
            StorageError: the write failed; nothing was stored.
        """
        totals = self._metered(totals)
        small = sum(len(batch.payload) for batch in batches) <= BUFFER_LOG_COMMIT_BYTES
        if small and self._record(batches, next_seq, totals, checkpoints):
            self._pending.update((batch.first_seq, batch) for batch in batches)
            self._checkpoints.update(checkpoints)
            self.totals, self.next_seq = totals, next_seq
            return
        if small and self._is_unfolded:
            self.fold(self.totals)
            self.commit(batches, next_seq, totals, checkpoints)
            return
        self.fold(totals, batches, next_seq=next_seq, checkpoints=checkpoints)

    def settle(self, after_s: float) -> Mapping[str, int]:
        """Write acks that no commit has carried for that long, and what a full disk held up; what that dropped."""
        if self._owed:
            self.forget(())
        dropped: Counter[str] = Counter()
        owed, self._owed_drops = self._owed_drops, []
        for ranges, reason in owed:
            dropped[reason] += self.drop(ranges, reason)
        due = self._recorded_at + after_s
        if self._gone and self._clock.monotonic() >= due:
            self.commit((), self.next_seq, self.totals, {})
        return dropped

    @property
    def _is_unfolded(self) -> bool:
        return self.log.lsn > self.tables.lsn

    def _record(
        self,
        batches: Sequence[StoredBatch],
        next_seq: int,
        totals: Totals,
        checkpoints: Mapping[str, str],
    ) -> bool:
        logged = [to_logged(batch) for batch in batches]
        record = Record(totals, dict(checkpoints), logged, self._gone)
        if not self.log.append(record, before_seq=self.next_seq, next_seq=next_seq):
            return False
        self._gone = []
        self._recorded_at = self._clock.monotonic()
        return True

    def fold(
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
        self.tables.fold(
            (*self._pending.values(), *batches),
            totals=totals,
            next_seq=following,
            lsn=self.log.lsn,
            checkpoints={**self._checkpoints, **(checkpoints or {})},
            delete=delete,
        )
        self.tables.lsn = self.log.lsn
        self.log.start_over()
        self._pending, self._checkpoints, self._gone = {}, {}, []
        self.totals, self.next_seq = totals, following
        self._recorded_at = self._clock.monotonic()

    def fold_pending(self) -> None:
        """Bring everything into the tables, where there is something left to bring."""
        if self._pending:
            self.fold(self.totals)

    def _metered(self, totals: Totals) -> Totals:
        """With what this process has written since it opened the buffer."""
        before, bytes_then, then = self._meter
        return msgspec.structs.replace(
            totals,
            written_bytes=before.written_bytes + written_bytes() - bytes_then,
            written_s=before.written_s + self._clock.monotonic() - then,
            written_readings=before.written_readings + totals.sampled - before.sampled,
        )

    # --- forgetting -------------------------------------------------------------------------------

    def forget(self, ranges: Sequence[Range]) -> int:
        """Delete without an fsync what lies whole in the ranges; returns how many readings.

        On a full disk the tables keep it for now: sent again after a restart, it is deduplicated.
        """
        rows = 0
        for first in self._pending_in(ranges):
            rows += self._pending.pop(first).rows
            self._gone.append(first)
        if self.tables.rows:
            rows += self._delete((*self._owed, *ranges))
        return rows

    def _delete(self, ranges: Sequence[Range]) -> int:
        try:
            rows = self.tables.forget(ranges)
        except StorageFull as error:
            self._deleting.bad(error)
            for first, last in ranges:
                self._owed.add(first, last)
            return 0
        self._deleting.good()
        self._owed = RangeSet()
        return rows

    def drop(self, ranges: Sequence[Range], reason: str) -> int:
        """Delete what lies whole in the ranges, and count it; on disk when this returns.

        On a full disk it stays for now, and ``settle`` drops it.
        """
        gone = {first: self._pending[first] for first in self._pending_in(ranges)}
        rows = self.tables.count(ranges) + sum(batch.rows for batch in gone.values())
        if not rows:
            return 0
        kept, self._pending = self._pending, {
            first: batch for first, batch in self._pending.items() if first not in gone
        }  # fmt: skip
        try:
            self.fold(changed(self.totals, 0, {reason: rows}), delete=ranges)
        except StorageError as error:
            self._pending = kept
            if not isinstance(error, StorageFull):
                raise
            self._deleting.bad(error)
            self._owed_drops.append((tuple(ranges), reason))
            return 0
        return rows

    def _pending_in(self, ranges: Sequence[Range]) -> list[int]:
        return [
            batch.first_seq
            for batch in self._pending.values()
            if any(first <= batch.first_seq and batch.last_seq <= last for first, last in ranges)
        ]

    # --- state ------------------------------------------------------------------------------------

    def pending(self, after: int) -> list[StoredBatch]:
        """Batches behind the number ``after`` that the tables do not have yet, in order."""
        return [batch for first, batch in self._pending.items() if first > after]

    def checkpoint(self, key: str) -> str | None:
        """Where the input of that key goes on."""
        return self._checkpoints.get(key) or self.tables.checkpoint(key)

    def counts(self) -> Counts:
        """The persistent counters as they are now."""
        buffered = self.tables.rows + sum(batch.rows for batch in self._pending.values())
        acknowledged = self.totals.sampled - sum(self.totals.dropped.values()) - buffered
        return Counts(self.totals.sampled, acknowledged, self.totals.dropped)

    def used_bytes(self) -> int:
        """Bytes of pages in use, and of what will come from the log."""
        return self.tables.used_bytes() + self._pending_bytes()

    def disk_bytes(self) -> int:
        """Bytes that may still be stored before the disk is full, less the reserve."""
        disk = os.statvfs(self.path.parent)
        left = disk.f_bavail * disk.f_frsize - BUFFER_DISK_RESERVE_BYTES
        return max(0, left) + self.tables.free_bytes() - self._pending_bytes()

    def _pending_bytes(self) -> int:
        return sum(len(batch.payload) for batch in self._pending.values())

    def close(self) -> None:
        """Fold and close; what cannot be folded stays in the log until the next start."""
        try:
            if self._is_unfolded or self._gone:
                self.fold(self._metered(self.totals))
        except StorageFull as error:
            _log.warning("%s; what is in the log stays there until the next start", error)
        finally:
            self.log.close()
            self.tables.close()


def changed(totals: Totals, sampled: int, dropped: Mapping[str, int]) -> Totals:
    """The counters after that many more readings, and those of them that are dropped."""
    return msgspec.structs.replace(
        totals,
        sampled=totals.sampled + sampled,
        dropped=dict(Counter(totals.dropped) + Counter(dropped)),
    )
