"""Consumers behind the journal: retried, restarted, skipped past, each result once."""

from __future__ import annotations

import resource
from functools import partial

import pytest

from gateway.consumer import Consumer, Derived, Outcome
from gateway.lanes import LanePolicy
from gateway.runner import ConsumerRunner
from headrace.clock import ManualClock
from headrace.errors import SinkRefused, SinkUnavailable
from tests.batches import rows
from tests.consumer_bench import Bench
from tests.servers import wait_until


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
def bench(open_journal):
    made = Bench(open_journal())
    yield made
    made.end()


def test_a_restart_goes_on_behind_the_cursor_with_the_stored_state(bench):
    """Results of a batch are in the journal once, before and after a restart."""
    bench.arrives(1, 100)
    runner = bench.run(Counter())
    wait_until(runner.caught_up, 20, "caught up")
    runner.signal_stop()
    runner.join()
    bench.arrives(101, 50)
    again = bench.run(Counter())
    wait_until(lambda: again.consumer.total == 150 and again.caught_up(), 20, "went on")
    bench.end()
    assert bench.journal.seen.of("result", bench.journal._derived_stream).count == 2


def test_a_step_that_fails_for_now_is_repeated_with_the_same_batches(bench):
    """Keep: nothing is skipped."""
    consumer = Counter()
    consumer.failures = [SinkUnavailable("away")]
    bench.run(consumer)
    bench.arrives(1, 100)
    wait_until(lambda: consumer.total == 100, 20, "repeated")
    bench.end()
    assert bench.metrics.value("consumer_failures", consumer="counter") == 1


def test_a_consumer_that_fails_for_good_stops_and_is_seen(bench):
    """The others go on; health shows the failure."""
    broken, sound = Counter(), Counter()
    broken.name, broken.failures = "broken", [SinkRefused("never")]
    runners = [bench.run(broken), bench.run(sound)]
    bench.arrives(1, 100)
    wait_until(lambda: sound.total == 100, 20, "the sound one works")
    wait_until(lambda: runners[0].failure, 20, "the broken one is seen")
    bench.end()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_consumer_with_a_fault_of_its_own_is_seen_like_any_that_stopped(bench):
    """A plugin may raise anything; a required one would else hold the journal, and nobody would know why."""
    broken = Counter()
    broken.failures = [ZeroDivisionError()]
    runner = bench.run(broken)
    bench.arrives(1, 100)
    wait_until(lambda: runner.failure, 20, "it is seen")
    assert "fault of its own" in str(runner.failure)
    assert runner.caught_up()
    assert bench.metrics.value("consumer_failures", consumer="counter") == 1
    bench.end()


def test_a_journal_that_cannot_be_read_for_now_stops_no_consumer(bench, monkeypatch):
    """No descriptors left, say, in a storm of connections: it looks again."""
    monkeypatch.setattr("gateway.feed.FEED_MAX_BATCHES", 2)
    for index in range(20):
        bench.arrives(1 + index * 10, 10)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    consumer = Counter()
    cursor, state = bench.journal.register("counter", required=True)
    runner = ConsumerRunner(consumer, bench.feed, bench.inbox, bench.clock, bench.metrics)
    bench.runners.append(runner)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        runner.start(cursor, state)
        failed = partial(bench.metrics.value, "consumer_failures", consumer="counter")
        wait_until(lambda: failed() > 0, 20, "it could not read")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_until(lambda: consumer.total == 200, 30, "all 200 readings")
    assert runner.failure is None
    bench.end()


def test_a_consumer_far_behind_is_served_from_the_file(bench, monkeypatch):
    """What no longer stands in memory is read from the journal."""
    monkeypatch.setattr("gateway.feed.FEED_MAX_BATCHES", 2)
    for index in range(20):
        bench.arrives(1 + index * 10, 10)
    consumer = Counter()
    bench.run(consumer)
    wait_until(lambda: consumer.total == 200, 20, "all 200 readings")
    bench.end()


class Sink(Consumer):
    """Remembers what it was given, lane by lane is told by the order."""

    name = "sink/s"
    required = False
    tick_s = 0.01

    def __init__(self, **policy):
        self.lanes = LanePolicy(live_first=True, **policy)
        self.offsets: list[int] = []
        self.failures: list[Exception] = []

    def step(self, entries, now_us):
        if self.failures:
            raise self.failures.pop(0)
        self.offsets += [entry.offset for entry in entries]
        return Outcome()


@pytest.fixture
def small_steps(monkeypatch):
    """Ten readings a delivery, so that thirty batches are an outage."""
    monkeypatch.setattr("gateway.lanes.CONSUMER_MAX_ROWS", 10)
    monkeypatch.setattr("gateway.lanes.BACKFILL_MAX_ROWS", 10)


@pytest.fixture
def slow_bench(open_journal):
    """With a clock that a test moves."""
    made = Bench(open_journal(), ManualClock())
    yield made
    made.end()


def test_a_sink_that_starts_at_an_old_journal_is_current_before_it_has_all_history(
    slow_bench, small_steps
):
    """The newest batch does not wait for thirty old ones."""
    for at in range(30):
        slow_bench.arrives(1 + at * 10, 10)
    slow_bench.clock.advance(60)
    sink = Sink(backfill_readings_per_s=10, backfill_share=1.0)
    runner = slow_bench.run(sink)
    wait_until(lambda: 0 < len(sink.offsets) < 5, 20, "some history")
    slow_bench.arrives(301, 10)
    wait_until(lambda: 31 in sink.offsets, 20, "the newest")
    wait_until(runner.caught_up, 20, "and is done with")
    assert runner.lag == 30 - sink.offsets.index(31)
    assert slow_bench.metrics.value("lane_lag_batches", sink="s", lane="backfill") > 20
    wait_until(lambda: (slow_bench.clock.advance(1), runner.lag == 0)[1], 10, "all history")
    slow_bench.end()
    assert sorted(sink.offsets) == list(range(1, 32))
    assert [offset for offset in sink.offsets if offset != 31] == list(range(1, 31))
    assert slow_bench.metrics.value("lane_readings", sink="s", lane="backfill") == 300
    assert slow_bench.metrics.value("lane_readings", sink="s", lane="live") == 10


def test_both_lanes_go_on_after_a_restart_without_repeating(slow_bench, small_steps):
    """What was done above the cursor is on disk with it."""
    for at in range(30):
        slow_bench.arrives(1 + at * 10, 10)
    slow_bench.clock.advance(60)
    first = Sink(backfill_readings_per_s=10, backfill_share=1.0)
    runner = slow_bench.run(first)
    slow_bench.arrives(301, 10)
    wait_until(lambda: 31 in first.offsets and len(first.offsets) > 1, 20, "both lanes")
    slow_bench.restart()
    again = Sink()
    runner = slow_bench.run(again)
    wait_until(lambda: runner.lag == 0, 10, "all history")
    slow_bench.end()
    assert sorted(first.offsets + again.offsets) == list(range(1, 32))


def test_history_that_the_journal_had_to_drop_is_counted_and_the_live_lane_goes_on(
    slow_bench, small_steps
):
    """An optional sink does not hold the journal for ever."""
    for at in range(30):
        slow_bench.arrives(1 + at * 10, 10)
    slow_bench.clock.advance(60)
    sink = Sink(backfill_readings_per_s=10, backfill_share=1.0)
    runner = slow_bench.run(sink)
    wait_until(lambda: sink.offsets, 20, "some history")
    with slow_bench.lock:
        slow_bench.journal._db.execute("DELETE FROM batches WHERE offset <= 30")
    slow_bench.feed._ring.clear()
    slow_bench.arrives(301, 10)
    wait_until(lambda: (slow_bench.clock.advance(1), runner.lag == 0)[1], 10, "nothing before it")
    done = len(sink.offsets)
    assert 31 in sink.offsets
    assert slow_bench.metrics.value("skipped_batches", sink="sink/s") == 31 - done
    slow_bench.end()


def test_a_whole_sink_keeps_to_its_rate(slow_bench, small_steps):
    """Ten readings a second while the clock stands still is one delivery and its debt."""
    for at in range(5):
        slow_bench.arrives(1 + at * 10, 10)
    sink = Sink(max_readings_per_s=10)
    runner = slow_bench.run(sink)
    wait_until(lambda: sink.offsets, 20, "the first")
    assert len(sink.offsets) <= 2
    wait_until(lambda: (slow_bench.clock.advance(1), runner.lag == 0)[1], 10, "the rest")
    assert sink.offsets == [1, 2, 3, 4, 5]
    slow_bench.end()
