"""What every sink must do, over every implementation (``sink_destinations`` lists them).

1. Readings that were accepted are there, also after the destination has been restarted.
2. Writing the same batches again changes nothing.
3. A bad reading is rejected with its reason, and everything around it goes through.
4. A destination that is away raises SinkUnavailable, and the next write after its return succeeds.
5. A batch of nothing but bad readings is rejected as a whole, and the next one goes through.
6. A batch without readings (a damaged one keeps its place in the journal) is no trouble.
7. A destination that takes everything and answers nothing is given up in time, again and again, without
   holding anybody else up; when it answers again all is there, each once.
8. A destination that dies in the middle and comes back later has everything, each once, and what
   arrives after its return is there before all of what it has missed.
9. A destination that is merely slow costs no memory and holds nobody up, and the present goes before
   the past (``test_slow_sinks.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from gateway.lanes import LanePolicy
from gateway.sinks.consumer import SinkConsumer
from headrace.errors import SinkUnavailable
from headrace.metrics import Metrics
from tests.consumer_bench import Bench
from tests.contract.conftest import Others
from tests.contract.sink_destinations import Destination
from tests.gateway_entries import START, entry, series
from tests.servers import wait_until


def holds(count: Callable[[], int], expected: int) -> None:
    wait_until(lambda: count() == expected, 10, f"{expected} readings are there")


def test_accepted_readings_outlast_a_restart_of_the_destination(destination: Destination) -> None:
    """1. Accepted means durable."""
    batches = [
        series("pump-1", "flow", [1.5, 2.5, -3e-7]),
        series("pump-2", "a b,c=d", [1e300], offset=2),
    ]
    with destination.up():
        assert destination.sink.deliver(batches) == []
    with destination.up() as count:
        holds(count, 4)


def test_writing_a_batch_again_changes_nothing(destination: Destination) -> None:
    """2. Delivery is at least once, so a write is idempotent."""
    batch = series("pump-1", "flow", [1.0, 2.0, 3.0])
    with destination.up() as count:
        destination.sink.deliver([batch])
        destination.sink.deliver(
            [batch, series("pump-1", "flow", [4.0], start_s=3, offset=2, first_seq=4)]
        )
        holds(count, 4)


def test_a_bad_reading_is_rejected_and_its_neighbours_are_written(destination: Destination) -> None:
    """3. One number that no destination takes does not hold up the rest."""
    bad = destination.bad
    if bad is None:
        pytest.skip("this destination takes everything that the journal holds")
    with destination.up() as count:
        (rejected,) = destination.sink.deliver(
            [bad.batch, series("pump-2", "flow", [5.0], offset=2)]
        )
        assert (rejected.entry, rejected.reason) == (bad.batch, bad.reason)
        refused = rejected.rows if rejected.rows is not None else bad.batch.rows
        assert refused.num_rows == bad.refused
        holds(count, bad.batch.rows.num_rows - bad.refused + 1)


def test_a_destination_that_is_away_keeps_the_batch_and_takes_it_when_it_is_back(
    destination: Destination,
) -> None:
    """4. Through the consumer, as the runner calls it."""
    metrics = Metrics("gateway")
    consumer = SinkConsumer("s", destination.sink, True, metrics)
    batch = [series("pump-1", "flow", [1.0, 2.0])]
    with pytest.raises(SinkUnavailable):
        consumer.step(batch, START)
    with destination.up() as count:
        consumer.committed(consumer.step(batch, START))
        holds(count, 2)
    with pytest.raises(SinkUnavailable):
        consumer.step(batch, START)
    assert metrics.value("sink_readings", sink="s", verdict="accept") == 2
    assert metrics.value("sink_readings", sink="s", verdict="keep") == 4


def test_a_batch_of_bad_readings_alone_is_rejected_and_the_next_goes_through(
    destination: Destination,
) -> None:
    """5. Nothing is tried for ever that will never be taken."""
    bad = destination.bad
    if bad is None:
        pytest.skip("this destination takes everything that the journal holds")
    with destination.up() as count:
        (rejected,) = destination.sink.deliver([bad.batch])
        assert rejected.rows is not None
        batch = entry("pump-9", rejected.rows, offset=2)
        (whole,) = destination.sink.deliver([batch])
        assert (whole.entry, whole.reason) == (batch, bad.reason)
        assert destination.sink.deliver([series("pump-2", "flow", [5.0], offset=3)]) == []
        holds(count, bad.batch.rows.num_rows - bad.refused + 1)


def test_a_batch_without_readings_is_no_trouble(destination: Destination) -> None:
    """6. Alone and between others."""
    nothing = series("pump-1", "flow", [], received_s=0)
    with destination.up() as count:
        assert destination.sink.deliver([nothing]) == []
        assert destination.sink.deliver([nothing, series("pump-1", "flow", [1.0], offset=2)]) == []
        holds(count, 1)


def test_a_destination_that_hangs_is_given_up_in_time_and_holds_nobody_up(
    destination: Destination, bench: Bench
) -> None:
    """7. Slow is worse than dead."""
    if destination.link is None:
        pytest.skip("there is no network before this destination")
    sink = SinkConsumer("s", destination.sink, True, bench.metrics, LanePolicy(live_first=True))
    others = Others()
    with destination.up() as count:
        runners = [bench.run(sink), bench.run(others)]
        bench.arrives(1, 20)
        holds(count, 20)
        destination.link.swallow()
        for at in range(20):
            bench.arrives(21 + at * 20, 20)
        wait_until(lambda: others.rows == 420, 20, "the others have all")
        tries = partial(bench.metrics.value, "consumer_failures", consumer="sink/s")
        wait_until(lambda: tries() >= 1, 30, "given up")
        wait_until(lambda: tries() >= 3, 60, "given up again and again")
    with destination.up() as count:
        holds(count, 420)
        wait_until(lambda: runners[0].lag == 0, 10, "nothing before it")
        bench.end()


def test_a_destination_that_dies_in_the_middle_has_everything_each_once(
    destination: Destination, bench: Bench
) -> None:
    """8. Live first, history beside it."""
    policy = LanePolicy(live_first=True, live_within_s=0.5, backfill_share=0.5)
    sink = SinkConsumer("s", destination.sink, True, bench.metrics, policy)
    with destination.up() as count:
        runner = bench.run(sink)
        for at in range(5):
            bench.arrives(1 + at * 20, 20)
        holds(count, 100)
    for at in range(50):
        bench.arrives(101 + at * 20, 20)
    failures = partial(bench.metrics.value, "consumer_failures", consumer="sink/s")
    wait_until(lambda: failures() >= 2, 20, "it is away")
    with destination.up() as count:
        wait_until(lambda: bench.metrics.value("lane_readings", sink="s", lane="backfill"), 20, "history")  # fmt: skip
        bench.arrives(1101, 20)
        wait_until(lambda: runner.lag == 0, 20, "nothing before it")
        holds(count, 1120)
        bench.end()
