"""Rule 9 of the sinks' suite: a destination that is slow, or stalls again and again, costs others nothing.

Memory is bounded by counting what is held: batches that are alive in the process may be those of the ring
in memory and one delivery of each reader, however far a sink is behind.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Sequence

import pytest

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.lanes import LanePolicy
from gateway.sinks.consumer import SinkConsumer
from gateway.sinks.port import Sink
from headrace.errors import SinkUnavailable
from tests.consumer_bench import Bench
from tests.contract.conftest import Others
from tests.contract.sink_destinations import Destination
from tests.servers import wait_until

ROWS = 20
BATCHES = 200
RING = 30

#: A delivery is 100 readings; a reader may hold one while it makes the next out of it.
MOST_HELD = RING + 2 * 2 * (100 // ROWS)

LATE_AFTER_HALF_A_SECOND = LanePolicy(live_first=True, live_within_s=0.5, backfill_share=0.5)


@pytest.fixture(autouse=True)
def small_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.feed.FEED_MAX_BATCHES", RING)


def held() -> int:
    """Batches that somebody holds."""
    gc.collect()
    return sum(type(each) is Entry for each in gc.get_objects())


def flood(bench: Bench) -> None:
    for at in range(BATCHES):
        bench.arrives(1 + at * ROWS, ROWS)


def test_a_slow_destination_costs_no_memory_and_holds_nobody_up(
    destination: Destination, bench: Bench
) -> None:
    """It takes a few hundred readings a second of thousands; the present is there, history follows."""
    if destination.link is None:
        pytest.skip("there is no network before this destination")
    sink = SinkConsumer("s", destination.sink, True, bench.metrics, LATE_AFTER_HALF_A_SECOND)
    others = Others()
    lag = {lane: {"sink": "s", "lane": lane} for lane in ("live", "backfill")}
    with destination.up() as count:
        runners = [bench.run(sink), bench.run(others)]
        bench.arrives(BATCHES * ROWS + 1, ROWS)  # connects at full speed
        wait_until(lambda: count() == ROWS, 10, "it works")
        destination.link.slow(0.15)
        flood(bench)
        wait_until(lambda: others.rows == (BATCHES + 1) * ROWS, 20, "the others have all")
        value = bench.metrics.value
        wait_until(lambda: value("lane_lag_batches", **lag["backfill"]), 20, "it is behind")
        for at in range(3):
            bench.arrives((BATCHES + 1 + at) * ROWS + 1, ROWS)
            wait_until(
                lambda: not value("lane_lag_batches", **lag["live"]), 30, "the present is there"
            )
            assert value("lane_lag_batches", **lag["backfill"]) > 0, "and history is not"
            assert held() <= MOST_HELD
        assert value("consumer_failures", consumer="sink/s") == 0, "slow is not away"
        destination.link.mend()
        wait_until(lambda: count() == (BATCHES + 4) * ROWS, 60, "history has followed, each once")
        wait_until(lambda: runners[0].lag == 0, 10, "nothing before it")
        bench.end()


class Stalling(Sink):
    """Takes every second delivery; the others it is silent about until its timeout."""

    def __init__(self) -> None:
        self.values: set[float] = set()
        self.calls = 0

    def write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        self.calls += 1
        if self.calls % 2:
            threading.Event().wait(0.1)
            raise SinkUnavailable("no answer in time")
        for entry in entries:
            self.values.update(entry.rows.column("value").to_pylist())
        return []


def test_a_destination_that_stalls_again_and_again_gets_all_and_holds_nobody_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Dead for a moment at every other delivery, for as long as it lives."""
    # pytest keeps what is logged, with the error, whose frames hold the delivery that failed.
    caplog.set_level(logging.ERROR, "gateway.runner")
    monkeypatch.setattr("gateway.runner.RETRY_FIRST_S", 0.02)
    destination, others = Stalling(), Others()
    sink = SinkConsumer("s", destination, True, bench.metrics, LATE_AFTER_HALF_A_SECOND)
    flood(bench)
    runners = [bench.run(sink), bench.run(others)]
    wait_until(lambda: others.rows == BATCHES * ROWS, 20, "the others have all")
    history = {"sink": "s", "lane": "backfill"}
    wait_until(lambda: bench.metrics.value("lane_lag_batches", **history), 20, "it is behind")
    bench.arrives(BATCHES * ROWS + 1, ROWS)
    newest = float((BATCHES + 1) * ROWS)
    wait_until(lambda: newest in destination.values, 30, "the present is there")
    assert runners[0].lag > 0, "and history is not"
    assert held() <= MOST_HELD
    wait_until(lambda: len(destination.values) == newest, 30, "all is there")
    assert destination.values == {float(at) for at in range(1, int(newest) + 1)}
    assert bench.metrics.value("consumer_failures", consumer="sink/s") > 10
    wait_until(lambda: runners[0].lag == 0, 20, "nothing before it")
