"""What every sink must do, over every implementation (``sink_destinations`` lists them).

1. Readings that were accepted are there, also after the destination has been restarted.
2. Writing the same batches again changes nothing.
3. A bad reading is rejected with its reason, and everything around it goes through.
4. A destination that is away raises SinkUnavailable, and the next write after its return succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.sinks.consumer import SinkConsumer
from headrace.errors import SinkUnavailable
from headrace.metrics import Metrics
from tests.contract import sink_destinations
from tests.contract.sink_destinations import Destination
from tests.gateway_entries import START, series
from tests.servers import wait_until


@pytest.fixture(params=sink_destinations.NAMES)
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    made = sink_destinations.make(request.param, tmp_path / "server")
    yield made
    made.sink.close()


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
