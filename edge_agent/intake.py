"""Decides when readings are sealed, and what happens when the buffer does not take them.

**When.** A commit costs an fsync, and an SD card stands one a second for years. So there is at most
one commit per loss window, and the first after a quiet time comes at once: a device that samples
once a second is as prompt as one that fsyncs everything, a busy one collects. ``MAX_BATCH_ROWS``
readings are sealed whenever they are there. With a window of 0 every poll is sealed in its own
thread before ``accept`` returns.

**What is one.** A poll and its checkpoint reach the buffer in one transaction, whole, even when the
poll is large enough for several batches.

**Full.** When the buffer could not make room (``buffer.room``), live inputs are cut: the new readings
are dropped, use up their numbers and are counted. Inputs that can wait are held up before they fill the last quarter, and a poll of
theirs that did not fit is kept and offered again.

Inputs run on several threads; one lock covers collecting, sealing and the commit, which keeps the
order of numbers without thought. What an input waits for is at most someone else's fsync.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from edge_agent.accumulator import Accumulator, split
from edge_agent.buffer.store import Store, StoredBatch
from edge_agent.encode import Header, encode, units_of
from edge_agent.identity import ClockWatch
from edge_agent.readings import Poll, Run
from headrace.clock import Clock
from headrace.errors import StorageCorrupt, StorageError, StorageFull
from headrace.limits.agent import ACK_SETTLE_S
from headrace.limits.wire import MAX_BATCH_ROWS
from headrace.logs import Condition
from headrace.metrics import Metrics
from headrace.wire import to_json

_log = logging.getLogger(__name__)

#: Seconds between two looks whether an input that is held up may go on.
_HELD_UP_S = 0.5


@dataclass(slots=True)
class _Source:
    lossless: bool
    readings: Accumulator = field(default_factory=Accumulator)


class Intake:
    """Between inputs and buffer.

    Args:
        sealed: called after every commit that stored batches (the uplink's ``wake``).
    """

    def __init__(
        self,
        store: Store,
        *,
        loss_window_s: float,
        boot: str,
        clock: Clock,
        metrics: Metrics,
        sealed: Callable[[], None],
    ) -> None:
        self._store, self._clock, self._metrics, self._sealed = store, clock, metrics, sealed
        self._window_s = loss_window_s
        self._boot = boot
        self._clock_watch = ClockWatch(clock)
        self._sources: dict[str, _Source] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._committed_at = float("-inf")
        self._unwritten: Counter[str] = Counter()  # drops that the full disk could not even note
        self._unwritten_rows = 0
        self._full = Condition(_log, f"buffer {store.path} does not take new readings")

    def add_source(self, key: str, *, lossless: bool) -> None:
        """Before the first ``accept`` of that key."""
        self._sources[key] = _Source(lossless)

    def accept(self, key: str, poll: Poll, *, stopping: threading.Event) -> bool:
        """Take a poll. False when it was not taken because the agent stops; nothing is lost then.

        Raises:
            StorageCorrupt: the buffer is damaged; the agent cannot go on.
        """
        source = self._sources[key]
        if source.lossless and not self._wait_for_room(source, stopping):
            return False
        with self._lock:
            before = source.readings.sampled
            source.readings.add(poll)
            self._metrics.count("sampled_readings", source.readings.sampled - before, input=key)
            if poll.widened:
                self._metrics.count("widened_readings", poll.widened, input=key)
            if self._window_s == 0 or source.readings.rows >= MAX_BATCH_ROWS:
                self._seal([key])
            elif not source.readings.is_empty:
                self._changed.notify_all()
        return True

    def _wait_for_room(self, source: _Source, stopping: threading.Event) -> bool:
        while not stopping.is_set():
            if source.readings.rows < MAX_BATCH_ROWS and self._store.has_room_for_waiting():
                return True
            self._store.wait_for_space(_HELD_UP_S)
            if source.readings.rows >= MAX_BATCH_ROWS:
                self.flush()
        return False

    # --- the sealer's side ------------------------------------------------------------------------

    def due(self) -> float:
        """When the next seal is due on the monotonic clock; infinity with nothing to seal."""
        if all(source.readings.is_empty for source in self._sources.values()):
            return float("inf")
        # While the buffer refuses, what is held up is not offered again in a tight loop.
        pause = _HELD_UP_S if self._full.is_bad else 0.0
        return self._committed_at + max(self._window_s, pause)

    def wait_until_due(self, timeout_s: float) -> None:
        """Sleep until a seal is due, or the time is over."""
        with self._changed:
            wait = self.due() - self._clock.monotonic()
            if wait > 0:
                self._changed.wait(min(wait, timeout_s))

    def wake(self) -> None:
        """End a ``wait_until_due``."""
        with self._changed:
            self._changed.notify_all()

    def flush_if_due(self) -> None:
        """Seal everything when the window is over."""
        if self._clock.monotonic() >= self.due():
            self.flush()

    def settle(self) -> None:
        """Let acks be written that no commit has carried; a disk that is full does without."""
        try:
            self._count_drops(self._store.settle(self._window_s + ACK_SETTLE_S))
        except StorageCorrupt:
            raise
        except StorageError as error:
            _log.debug("acks could not be written yet: %s", error)

    def flush(self) -> None:
        """Seal everything now."""
        with self._lock:
            self._seal(
                [key for key, source in self._sources.items() if not source.readings.is_empty]
            )

    # --- sealing; the lock is held ----------------------------------------------------------------

    def _seal(self, keys: list[str]) -> None:
        """Encode and commit what the sources hold; on failure cut or keep, by kind of source."""
        if not keys:
            return
        self._committed_at = self._clock.monotonic()
        try:
            self._commit(keys)
        except StorageCorrupt:
            raise
        except StorageError as error:
            self._full.bad(error)
            self._cut([key for key in keys if not self._sources[key].lossless], error)

    def _commit(self, keys: list[str]) -> None:
        batches = self._encode(self._sources[key].readings for key in keys)
        dropped = self._dropped(keys)
        made_room = self._store.append(
            batches,
            sampled=sum(self._sources[key].readings.sampled for key in keys),
            dropped=dropped,
            checkpoints=self._checkpoints(keys),
        )
        for key in keys:
            self._sources[key].readings.clear()
        self._count_drops({**dropped, **made_room})
        # What an earlier full disk could not even note takes its numbers now, behind these readings.
        self._note_unwritten()
        self._full.good()
        if batches:
            self._metrics.count("sealed_batches", len(batches))
            self._sealed()

    def _cut(self, keys: list[str], error: StorageError) -> None:
        """Drop the new readings of live inputs, and say so in the buffer as soon as that works."""
        if not keys:
            return
        reason = "buffer_full" if isinstance(error, StorageFull) else "buffer_failed"
        rows = sum(self._sources[key].readings.rows for key in keys)
        self._unwritten.update(self._dropped(keys))
        self._unwritten[reason] += rows
        self._unwritten_rows += rows
        self._count_drops({**self._dropped(keys), reason: rows})
        checkpoints = self._checkpoints(keys)
        for key in keys:
            self._sources[key].readings.clear()
        try:
            self._note_unwritten(checkpoints)
        except StorageCorrupt:
            raise
        except StorageError as another:
            _log.debug("the drop could not be noted yet: %s", another)

    def _note_unwritten(self, checkpoints: Mapping[str, str] | None = None) -> None:
        if not self._unwritten and not checkpoints:
            return
        self._store.refuse(
            self._unwritten_rows, dropped=dict(self._unwritten), checkpoints=checkpoints or {}
        )
        self._unwritten.clear()
        self._unwritten_rows = 0

    def _encode(self, sources: Iterable[Accumulator]) -> list[StoredBatch]:
        groups = [group for readings in sources for group in split(readings.runs())]
        clock_state = self._clock_watch.state()
        now_us = self._clock.now_us()
        seq = self._store.next_seq
        batches = []
        for runs in groups:
            batches.append(self._encode_one(runs, seq, clock_state, now_us))
            seq = batches[-1].last_seq + 1
        return batches

    def _encode_one(self, runs: list[Run], seq: int, clock_state: str, now_us: int) -> StoredBatch:
        rows = sum(run.rows for run in runs)
        units = units_of(runs)
        has_text = any(run.is_text for run in runs)
        header = Header(self._store.stream, seq, self._boot, clock_state, units, has_text)
        return StoredBatch(
            first_seq=seq,
            last_seq=seq + rows - 1,
            rows=rows,
            sealed_at=now_us,
            boot=self._boot,
            clock=clock_state,
            units=to_json(units),
            has_text=has_text,
            payload=encode(runs, header),
        )

    def _dropped(self, keys: list[str]) -> dict[str, int]:
        total: Counter[str] = Counter()
        for key in keys:
            total.update(self._sources[key].readings.dropped)
        return dict(total)

    def _checkpoints(self, keys: list[str]) -> dict[str, str]:
        found = ((key, self._sources[key].readings.checkpoint) for key in keys)
        return {key: checkpoint for key, checkpoint in found if checkpoint is not None}

    def _count_drops(self, dropped: Mapping[str, int]) -> None:
        for reason, rows in dropped.items():
            self._metrics.count("dropped_readings", rows, reason=reason)


class Sealer:
    """The thread that seals when the loss window is over."""

    def __init__(
        self, intake: Intake, *, clock: Clock, failed: Callable[[StorageError], None]
    ) -> None:
        self._intake, self._clock, self._failed = intake, clock, failed
        self.seen_at = clock.monotonic()  # when the thread last came round
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is left is sealed by the caller's ``flush``."""
        self._stopping.set()
        self._intake.wake()
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.seen_at = self._clock.monotonic()
                self._intake.wait_until_due(timeout_s=ACK_SETTLE_S)
                self._intake.flush_if_due()
                self._intake.settle()
        except StorageCorrupt as error:
            self._failed(error)
