"""Drives one consumer: read what its lanes say, step, commit the outcome, again.

The only loop around consumers, so the only place that knows about threads, retries and skipped
batches; what to read next is decided in ``gateway/lanes.py``. A step, or a look into the journal's file, that
fails for now is repeated after a growing pause; a consumer that fails for good, or by a fault of its own, is
stopped and seen (log, metric, health), and the others go on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gateway.consumer import Consumer, Outcome
from gateway.feed import Entry, Feed
from gateway.ingest.inbox import Inbox, Submission
from gateway.lanes import IN_ORDER, STATE_KEY, Lanes, Turn
from gateway.tracing.port import OFF, Trace
from headrace.clock import Clock
from headrace.errors import HeadraceError, StorageError
from headrace.limits.agent import RETRY_FIRST_S, RETRY_MAX_S
from headrace.logs import Condition
from headrace.metrics import Metrics

logger = logging.getLogger(__name__)

#: How long a stop waits for the outcome in hand to be committed.
_LAST_COMMIT_S: Final = 5.0


class ConsumerFault(HeadraceError):
    """A consumer raised what no consumer should."""


class ConsumerRunner:
    """One thread for one consumer."""

    def __init__(
        self, consumer: Consumer, feed: Feed, inbox: Inbox, clock: Clock, metrics: Metrics,
        trace: Trace = OFF,
    ) -> None:  # fmt: skip
        self.consumer = consumer
        self._trace = trace
        self._feed = feed
        self._inbox = inbox
        self._clock = clock
        self._metrics = metrics
        self._condition = Condition(logger, consumer.name)
        self._reading = Condition(logger, f"{consumer.name}, reading the journal")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=consumer.name)
        self._lanes = Lanes(consumer.lanes)
        self._took_s = 0.0
        self._submitted = 0
        self.failure: HeadraceError | None = None

    def start(self, cursor: int, state: dict[str, bytes], before: Consumer | None = None) -> None:
        """Go on where the journal says that the consumer is, maybe in the place of another."""
        self._lanes = Lanes(self.consumer.lanes, cursor, state.get(STATE_KEY))
        self._submitted = cursor
        self.consumer.restore(state, self._clock.now_us())
        if before is not None:
            self.consumer.take_over(before)
        self._thread.start()

    def signal_stop(self) -> None:
        self._stopping.set()

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def cursor(self) -> int:
        """Everything up to here is done."""
        return self._lanes.cursor

    @property
    def lag(self) -> int:
        """Batches that are not done."""
        return self._live_lag + self._lanes.backlog

    @property
    def _live_lag(self) -> int:
        return max(0, self._feed.head - self._lanes.live)

    def caught_up(self) -> bool:
        """Whether everything new has been worked on; history goes on after the next start."""
        return self.failure is not None or self._live_lag == 0

    def _run(self) -> None:
        # What it was if nothing else is said: a fault of its own. Python prints where.
        failure: HeadraceError | None = ConsumerFault(
            "a fault of its own; its traceback is in the log",
            hint="tell its author; `gateway reload` starts it again where it was",
        )
        try:
            while not self._stopping.is_set():
                self._once()
            self._save_lanes()
            failure = None
        except HeadraceError as error:
            failure = error
        finally:
            self._ended(failure)

    def _ended(self, failure: HeadraceError | None) -> None:
        self.failure = failure
        if failure is not None:
            self._metrics.count("consumer_failures", consumer=self.consumer.name)
            logger.error("%s stopped: %s", self.consumer.name, failure)
        self.consumer.close()

    def _once(self) -> None:
        turn = self._lanes.turn(self._clock.monotonic(), self.consumer.tick_s)
        if turn.rest_s:
            self._stopping.wait(turn.rest_s)
            return
        head = self._feed.head
        entries = self._read(turn)
        if entries is None or self._is_late(turn, entries):
            return
        self._look_for_holes(turn, entries, head)
        # A batch that was damaged in the journal has no readings left; the cursor still moves past it.
        outcome = self._step([entry for entry in entries if entry.rows.num_rows])
        if outcome is None:
            return
        self._advance(turn, entries, head)
        self._commit(outcome)
        self._show_lag()

    def _read(self, turn: Turn) -> list[Entry] | None:
        """What comes next; None, after a pause, when the journal's file cannot be read for now."""
        try:
            entries = self._feed.read(
                turn.after, up_to=turn.up_to, max_rows=turn.max_rows, timeout_s=turn.wait_s
            )
        except StorageError as error:
            if not error.retryable:
                raise
            self._metrics.count("consumer_failures", consumer=self.consumer.name)
            self._reading.bad(error)
            pause = RETRY_FIRST_S * 2.0 ** min(self._reading.failures, 10)
            self._stopping.wait(min(pause, RETRY_MAX_S))
            return None
        self._reading.good()
        return entries

    def _is_late(self, turn: Turn, entries: Sequence[Entry]) -> bool:
        if not entries:
            return False
        first, newest, head = entries[0], entries[-1].offset, self._feed.head
        age_s = (self._clock.now_us() - first.received_at) / 1e6
        jumped = self._lanes.jump(turn, first.offset, newest, head, age_s)
        if jumped:
            logger.info(
                "%s is %.0f s late: it goes on at the head, %d batches follow as history",
                self.consumer.name, age_s, head - first.offset + 1,
            )  # fmt: skip
            self._show_lag()
        return jumped

    def _look_for_holes(self, turn: Turn, entries: Sequence[Entry], head: int) -> None:
        """Count what the journal has dropped in front of an optional consumer."""
        end = head if turn.up_to is None else turn.up_to
        found = entries[0].offset - 1 if entries else max(end, turn.after)
        skipped = found - turn.after
        damaged = bool(entries) and not entries[0].device
        if skipped > 0 and turn.after > 0 and not damaged:
            self._metrics.count("skipped_batches", skipped, sink=self.consumer.name)
            logger.warning(
                "%s was skipped past %d batches: the journal's budget was used up",
                self.consumer.name, skipped,
                extra={"consumer": self.consumer.name, "offset": found, "batches": skipped},
            )  # fmt: skip

    def _advance(self, turn: Turn, entries: Sequence[Entry], head: int) -> None:
        end = head if turn.up_to is None else turn.up_to
        rows = sum(entry.rows.num_rows for entry in entries)
        self._lanes.done(
            turn, entries[-1].offset if entries else max(end, turn.after),
            rows=rows, head=head, now=self._clock.monotonic(), took_s=self._took_s,
        )  # fmt: skip
        if rows and self.consumer.lanes is not IN_ORDER:
            self._metrics.count("lane_readings", rows, sink=self._label, lane=turn.lane)

    @property
    def _label(self) -> str:
        return self.consumer.name.removeprefix("sink/")

    def _show_lag(self) -> None:
        self._metrics.set("consumer_lag_batches", self.lag, consumer=self.consumer.name)
        if self.consumer.lanes is not IN_ORDER:
            by_lane = {"live": self._live_lag, "backfill": self._lanes.backlog}
            for lane, lag in by_lane.items():
                self._metrics.set("lane_lag_batches", lag, sink=self._label, lane=lane)

    def _step(self, entries: Sequence[Entry]) -> Outcome | None:
        """The consumer's answer; None when the runner is stopped before there is one."""
        pause = RETRY_FIRST_S
        while True:
            started = self._clock.monotonic()
            try:
                with self._trace.consume(self.consumer.name, entries):
                    outcome = self.consumer.step(entries, self._clock.now_us())
            except HeadraceError as error:
                if not error.retryable:
                    raise
                self._metrics.count("consumer_failures", consumer=self.consumer.name)
                self._condition.bad(error)
            else:
                self._condition.good()
                self._took_s = self._clock.monotonic() - started
                return outcome
            if self._stopping.wait(pause):
                return None
            pause = min(pause * 2, RETRY_MAX_S)

    def _commit(self, outcome: Outcome) -> None:
        """Put outcome, lanes and cursor on disk together; nothing where nothing has changed."""
        lanes = self._lanes.state(self._clock.monotonic(), at_once=bool(outcome.rejected))
        outcome = replace(outcome, state={**outcome.state, **lanes})
        moved = self.cursor != self._submitted
        if not (moved or outcome.derived or outcome.state or outcome.rejected):
            self.consumer.committed(outcome)
            return
        submission = self._submit(outcome)
        while not submission.committed.wait(0.5):
            if self._stopping.is_set():
                submission.committed.wait(_LAST_COMMIT_S)
                break
        if submission.committed.is_set():
            self.consumer.committed(outcome)

    def _save_lanes(self) -> None:
        """At a stop: what the last second has done, so that a restart repeats nothing of it."""
        lanes = self._lanes.state(self._clock.monotonic(), at_once=True)
        if lanes:
            self._submit(Outcome(state=lanes))

    def _submit(self, outcome: Outcome) -> Submission:
        submission = Submission(self.consumer.name, self.cursor, self.consumer.required, outcome)
        self._inbox.submit(submission)
        self._submitted = self.cursor
        return submission
