"""A journal, a feed, and a committing thread in place of the ingest worker: what consumers stand on."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from gateway.consumer import Consumer
from gateway.feed import Feed
from gateway.ingest.arrival import Arrival
from gateway.ingest.inbox import Inbox, Submission
from gateway.ingest.reading import Accepted, read
from gateway.journal import JournalWriter
from gateway.runner import ConsumerRunner
from headrace.clock import Clock, SystemClock
from headrace.metrics import Metrics
from tests.batches import payload

STREAM = "0123456789abcdef"


class Bench:
    """Takes batches and runs consumers; ``restart`` begins anew with what is on disk."""

    def __init__(self, journal: JournalWriter, clock: Clock | None = None) -> None:
        self.journal = journal
        self.clock = clock or SystemClock()
        self.metrics = Metrics("gateway")
        self.lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self.feed = Feed(self.journal.path)
        self.feed.start_at(self.journal.head)
        self.inbox = Inbox()
        self.stopping = threading.Event()
        self.runners: list[ConsumerRunner] = []
        self.thread = threading.Thread(target=self.commit_for_ever, name="bench")
        self.thread.start()

    def commit_for_ever(self) -> None:
        while True:
            stopping = self.stopping.is_set()
            work = self.inbox.take(0.0 if stopping else 0.01)
            if work:
                self.commit([], work.submissions)
            elif stopping:
                return

    def commit(self, accepted: Sequence[Accepted], submissions: Sequence[Submission]) -> None:
        with self.lock:
            self.feed.publish(self.journal.commit(accepted, [], submissions).entries)
        for submission in submissions:
            submission.committed.set()

    def arrives(self, first: int, count: int, device: str = "pump-1") -> None:
        """A batch of readings ``first``, ``first + 1``, …; a reading's value is its seq."""
        arrival = Arrival(device, "arrow", payload(STREAM, first, count), self.clock.now_us())
        accepted = read(arrival)
        assert isinstance(accepted, Accepted)
        self.commit([accepted], [])

    def run(self, consumer: Consumer) -> ConsumerRunner:
        runner = ConsumerRunner(consumer, self.feed, self.inbox, self.clock, self.metrics)
        runner.start(*self.journal.register(consumer.name, required=consumer.required))
        self.runners.append(runner)
        return runner

    def end(self) -> None:
        """Stop in the order in which the gateway does."""
        for runner in self.runners:
            runner.signal_stop()
        self.feed.close()
        for runner in self.runners:
            runner.join()
        self.stopping.set()
        self.thread.join()

    def restart(self) -> None:
        """A graceful stop, and all that is in memory gone."""
        self.end()
        self._begin()
