"""The buffer's one writer: append sealed batches, hand them out in order, forget them when told.

Used by two sides at once: inputs and the sealer append, the uplink reads and forgets. One lock covers
log, tables and memory (``commits``). Only one process may write a buffer; a lock file sees to that,
because two agents on one buffer would give one number to two readings.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from edge_agent.buffer.batches import Counts, StoredBatch
from edge_agent.buffer.commits import Commits, changed
from edge_agent.buffer.files import set_aside, take_lock
from edge_agent.buffer.room import Room
from edge_agent.buffer.schema import WhenFull
from headrace.clock import Clock
from headrace.errors import StorageCorrupt
from headrace.limits.agent import BUFFER_WAITING_SHARE
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
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._space = threading.Condition()
        self._lock_file = take_lock(path)
        try:
            self._commits = _open_or_replace(path, device, clock)
        except BaseException:
            os.close(self._lock_file)
            raise
        self._room = Room(self._commits, max_bytes=max_bytes, when_full=when_full)
        self._lent = 0
        self.stream = self._commits.stream

    @property
    def next_seq(self) -> int:
        """The number of the next reading."""
        return self._commits.next_seq

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
        size = sum(len(batch.payload) for batch in batches)
        with self._lock:
            made_room = self._room.make(size, lent=self._lent)
            totals = changed(self._commits.totals, sampled, dropped)
            self._commits.commit(batches, next_seq, totals, checkpoints)
        return made_room

    def refuse(
        self, rows: int, *, dropped: Mapping[str, int], checkpoints: Mapping[str, str]
    ) -> None:
        """Note that readings are dropped; ``rows`` of them use up their numbers.

        Raises:
            StorageError: not even that could be written; say it again with the next ones.
        """
        with self._lock:
            totals = changed(self._commits.totals, sum(dropped.values()), dropped)
            self._commits.commit((), self.next_seq + rows, totals, checkpoints)

    def settle(self, after_s: float) -> Mapping[str, int]:
        """Write acks that no commit has carried for that long, so that a restart does not resend.

        Returns:
            Readings that are dropped only now, because the disk was full, by reason.

        Raises:
            StorageError: the write failed; they ride with the next commit.
        """
        with self._lock:
            return self._commits.settle(after_s)

    # --- handing out ------------------------------------------------------------------------------

    def read(self, after: int) -> Generator[StoredBatch, None, None]:
        """Batches behind the number ``after``, in order, as long as the caller asks for more.

        One thread at a time. A payload that does not match its checksum is dropped and counted. What
        was handed out is left alone by whatever makes room until it is forgotten.
        """
        # First the log's, then the tables': a fold in between is seen in both, never in neither.
        with self._lock:
            pending = self._commits.pending(after)
        for batch, sound in self._commits.tables.read(after):
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
            return self._commits.checkpoint(key)

    # --- forgetting -------------------------------------------------------------------------------

    def forget(self, ranges: Sequence[Range]) -> int:
        """Delete what the gateway has on disk; returns how many readings that were."""
        with self._lock:
            rows = self._commits.forget(ranges)
        self._tell_space()
        return rows

    def drop(self, ranges: Sequence[Range], reason: str) -> int:
        """Delete what will never be acknowledged, and count it; on a full disk ``settle`` does it later."""
        with self._lock:
            rows = self._commits.drop(ranges, reason)
        self._tell_space()
        return rows

    def _tell_space(self) -> None:
        with self._space:
            self._space.notify_all()

    # --- state ------------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """The persistent counters as they are now."""
        with self._lock:
            return self._commits.counts()

    def used_bytes(self) -> int:
        """Bytes of pages in use, and of what will come from the log."""
        with self._lock:
            return self._commits.used_bytes()

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
                self._commits.close()
            finally:
                os.close(self._lock_file)


def _open_or_replace(path: Path, device: str, clock: Clock) -> Commits:
    try:
        return Commits(path, device=device, clock=clock)
    except StorageCorrupt as error:
        aside = set_aside(path, clock)
        _log.error(
            "%s; moved to %s, and a new stream is started: readings that were only in the old "
            "file are not sent (edge-agent buffer export reads what is left of it)", error, aside,
        )  # fmt: skip
        return Commits(path, device=device, clock=clock)
