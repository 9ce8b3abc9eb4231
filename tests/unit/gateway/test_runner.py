"""Consumers behind the journal: retried, restarted, skipped past, each result once."""

from __future__ import annotations

import threading

import pytest

from gateway.consumer import Consumer, Derived, Outcome
from gateway.feed import Feed
from gateway.ingest.inbox import Inbox
from gateway.runner import ConsumerRunner
from headrace.clock import SystemClock
from headrace.errors import SinkRefused, SinkUnavailable
from headrace.metrics import Metrics
from tests.batches import payload, rows
from tests.servers import wait_until

STREAM = "0123456789abcdef"


class Counter(Consumer):
    """Counts readings and derives one reading per batch; fails when it is told to."""

    name = "counter"
    tick_s = 0.01

    def __init__(self) -> None:
        self.total = 0
        self.failures: list[Exception] = []

    def restore(self, state, now_us):
        self.total = int(state.get("total", b"0"))

    def step(self, entries, now_us):
        if self.failures:
            raise self.failures.pop(0)
        own = [entry for entry in entries if entry.device != "result"]
        if not own:
            return Outcome()
        self.total += sum(entry.rows.num_rows for entry in own)
        return Outcome([Derived("result", rows(1))] * len(own), {"total": str(self.total).encode()})


@pytest.fixture
def bench(open_journal, arrive):
    """A journal, a feed, and a committing thread in place of the ingest worker."""

    class Bench:
        def __init__(self):
            self.journal = open_journal()
            self.feed = Feed(self.journal.path)
            self.feed.start_at(self.journal.head)
            self.inbox = Inbox()
            self.metrics = Metrics("gateway")
            self.lock = threading.Lock()
            self.stopping = threading.Event()
            self.thread = threading.Thread(target=self.commit_for_ever)
            self.thread.start()

        def commit_for_ever(self):
            while not self.stopping.is_set():
                work = self.inbox.take(0.01)
                if work:
                    self.commit([], work.submissions)

        def commit(self, accepted, submissions):
            with self.lock:
                self.feed.publish(self.journal.commit(accepted, [], submissions).entries)
            for submission in submissions:
                submission.committed.set()

        def arrives(self, first, count):
            self.commit([arrive("pump-1", payload(STREAM, first, count))], [])

        def run(self, consumer):
            runner = ConsumerRunner(consumer, self.feed, self.inbox, SystemClock(), self.metrics)
            runner.start(*self.journal.register(consumer.name, required=consumer.required))
            return runner

        def end(self, *runners):
            for runner in runners:
                runner.signal_stop()
            self.feed.close()
            for runner in runners:
                runner.join()
            self.stopping.set()
            self.thread.join()

    made = Bench()
    yield made
    made.end()


def test_a_restart_goes_on_behind_the_cursor_with_the_stored_state(bench):
    """Results of a batch are in the journal once, before and after a restart."""
    bench.arrives(1, 100)
    runner = bench.run(Counter())
    wait_until(runner.caught_up, 5, "caught up")
    runner.signal_stop()
    runner.join()
    bench.arrives(101, 50)
    again = bench.run(Counter())
    wait_until(lambda: again.consumer.total == 150 and again.caught_up(), 5, "went on")
    bench.end(again)
    assert bench.journal.seen.of("result", bench.journal._derived_stream).count == 2


def test_a_step_that_fails_for_now_is_repeated_with_the_same_batches(bench):
    """Keep: nothing is skipped."""
    consumer = Counter()
    consumer.failures = [SinkUnavailable("away")]
    runner = bench.run(consumer)
    bench.arrives(1, 100)
    wait_until(lambda: consumer.total == 100, 5, "repeated")
    bench.end(runner)
    assert bench.metrics.value("consumer_failures", consumer="counter") == 1


def test_a_consumer_that_fails_for_good_stops_and_is_seen(bench):
    """The others go on; health shows the failure."""
    broken, sound = Counter(), Counter()
    broken.name, broken.failures = "broken", [SinkRefused("never")]
    runners = [bench.run(broken), bench.run(sound)]
    bench.arrives(1, 100)
    wait_until(lambda: sound.total == 100, 5, "the sound one works")
    wait_until(lambda: runners[0].failure, 5, "the broken one is seen")
    bench.end(*runners)


def test_a_consumer_far_behind_is_served_from_the_file(bench, monkeypatch):
    """What no longer stands in memory is read from the journal."""
    monkeypatch.setattr("gateway.feed.FEED_MAX_BATCHES", 2)
    for index in range(20):
        bench.arrives(1 + index * 10, 10)
    consumer = Counter()
    runner = bench.run(consumer)
    wait_until(lambda: consumer.total == 200, 5, "all 200 readings")
    bench.end(runner)
