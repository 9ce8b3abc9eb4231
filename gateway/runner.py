"""Drives one consumer: read behind the cursor, step, commit the outcome, again.

The only loop around consumers, so the only place that knows about threads, retries and skipped
batches. A step that fails for now is repeated with the same batches after a growing pause; a
consumer that fails for good is stopped and seen (log, metric, health), and the others go on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Final

from gateway.consumer import Consumer, Outcome
from gateway.feed import Entry, Feed
from gateway.ingest.inbox import Inbox, Submission
from headrace.clock import Clock
from headrace.errors import HeadraceError
from headrace.limits import CONSUMER_MAX_ROWS, RETRY_FIRST_S, RETRY_MAX_S
from headrace.logs import Condition
from headrace.metrics import Metrics

logger = logging.getLogger(__name__)

#: How long a stop waits for the outcome in hand to be committed.
_LAST_COMMIT_S: Final = 5.0


class ConsumerRunner:
    """One thread for one consumer."""

    def __init__(
        self, consumer: Consumer, feed: Feed, inbox: Inbox, clock: Clock, metrics: Metrics
    ) -> None:
        self.consumer = consumer
        self._feed = feed
        self._inbox = inbox
        self._clock = clock
        self._metrics = metrics
        self._condition = Condition(logger, consumer.name)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=consumer.name)
        self.cursor = 0
        self.failure: HeadraceError | None = None

    def start(self, cursor: int, state: dict[str, bytes]) -> None:
        """Go on where the journal says that the consumer is."""
        self.cursor = cursor
        self.consumer.restore(state, self._clock.now_us())
        self._thread.start()

    def signal_stop(self) -> None:
        self._stopping.set()

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def lag(self) -> int:
        """Batches behind the head."""
        return max(0, self._feed.head - self.cursor)

    def caught_up(self) -> bool:
        """Whether everything that was committed so far has been worked on."""
        return self.failure is not None or self.lag == 0

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._once()
        except HeadraceError as error:
            self.failure = error
            self._metrics.count("consumer_failures", consumer=self.consumer.name)
            logger.error("%s stopped: %s", self.consumer.name, error)
        finally:
            self.consumer.close()

    def _once(self) -> None:
        entries = self._read()
        outcome = self._step(entries)
        if outcome is None:
            return
        offset = entries[-1].offset if entries else self.cursor
        if entries or outcome.derived or outcome.state or outcome.rejected:
            self._commit(outcome, offset)
        self.cursor = offset
        self._metrics.set("consumer_lag_batches", self.lag, consumer=self.consumer.name)

    def _read(self) -> list[Entry]:
        entries = self._feed.read(
            self.cursor, max_rows=CONSUMER_MAX_ROWS, timeout_s=self.consumer.tick_s
        )
        if entries and self.cursor and entries[0].offset > self.cursor + 1:
            skipped = entries[0].offset - self.cursor - 1
            self._metrics.count("skipped_batches", skipped, sink=self.consumer.name)
            logger.warning(
                "%s was skipped past %d batches: the journal's budget was used up",
                self.consumer.name, skipped,
            )  # fmt: skip
        return entries

    def _step(self, entries: Sequence[Entry]) -> Outcome | None:
        """The consumer's answer; None when the runner is stopped before there is one."""
        pause = RETRY_FIRST_S
        while True:
            try:
                outcome = self.consumer.step(entries, self._clock.now_us())
            except HeadraceError as error:
                if not error.retryable:
                    raise
                self._metrics.count("consumer_failures", consumer=self.consumer.name)
                self._condition.bad(error)
            else:
                self._condition.good()
                return outcome
            if self._stopping.wait(pause):
                return None
            pause = min(pause * 2, RETRY_MAX_S)

    def _commit(self, outcome: Outcome, offset: int) -> None:
        submission = Submission(self.consumer.name, offset, self.consumer.required, outcome)
        self._inbox.submit(submission)
        while not submission.committed.wait(0.5):
            if self._stopping.is_set():
                submission.committed.wait(_LAST_COMMIT_S)
                break
        if submission.committed.is_set():
            self.consumer.committed(outcome)
