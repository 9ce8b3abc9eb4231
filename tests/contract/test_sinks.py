"""What every sink must do, over every implementation: a new sink is done when it is in SINKS.

1. Readings that were accepted are there, also after the destination has been restarted.
2. Writing the same batches again changes nothing.
3. A bad reading is rejected with its reason, and everything around it goes through.
4. A destination that is away raises SinkUnavailable, and the next write after its return succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.sinks.consumer import SinkConsumer
from gateway.sinks.influxdb import PLUGIN, InfluxDBSettings
from gateway.sinks.port import Sink
from headrace.errors import SinkUnavailable
from headrace.metrics import Metrics
from tests.gateway_entries import START, series
from tests.servers import free_port, wait_until
from tests.servers.influxdb import influxdb
from tests.servers.victoriametrics import victoriametrics


@dataclass
class Destination:
    """A real server that can be stopped and started again, its sink, and what is in it."""

    sink: Sink
    up: Callable[[], AbstractContextManager[Callable[[], int]]]


def influxdb_v1(folder: Path) -> Destination:
    port = free_port()
    settings = InfluxDBSettings(api="v1", url=f"http://127.0.0.1:{port}", database="iot")

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        with influxdb(folder, port=port) as server:
            server.query("CREATE DATABASE iot")
            yield lambda: server.count("iot")

    return Destination(PLUGIN.build(settings, site="s"), up)


def victoriametrics_v2(folder: Path) -> Destination:
    port = free_port()
    settings = InfluxDBSettings(url=f"http://127.0.0.1:{port}", org="o", bucket="iot")

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        with victoriametrics(folder, port=port) as server:
            yield server.count

    return Destination(PLUGIN.build(settings, site="s"), up)


SINKS = [influxdb_v1, victoriametrics_v2]


@pytest.fixture(params=SINKS, ids=lambda make: make.__name__)
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    made: Destination = request.param(tmp_path / "server")
    yield made
    made.sink.close()


def holds(count: Callable[[], int], expected: int) -> None:
    wait_until(lambda: count() == expected, 10, f"{expected} readings are there")


def test_accepted_readings_outlast_a_restart_of_the_destination(destination: Destination) -> None:
    """1. Accepted means durable."""
    batches = [series("pump-1", "flow", [1.5, 2.5, -3e-7]), series("pump-2", "a b,c=d", [1e300])]
    with destination.up():
        assert destination.sink.deliver(batches) == []
    with destination.up() as count:
        holds(count, 4)


def test_writing_a_batch_again_changes_nothing(destination: Destination) -> None:
    """2. Delivery is at least once, so a write is idempotent."""
    batch = series("pump-1", "flow", [1.0, 2.0, 3.0])
    with destination.up() as count:
        destination.sink.deliver([batch])
        destination.sink.deliver([batch, series("pump-1", "flow", [4.0], start_s=3)])
        holds(count, 4)


def test_a_bad_reading_is_rejected_and_its_neighbours_are_written(destination: Destination) -> None:
    """3. One number that no destination takes does not hold up the rest."""
    batch = series("pump-1", "flow", [1.0, float("inf"), 3.0, float("nan")])
    with destination.up() as count:
        (rejected,) = destination.sink.deliver([batch, series("pump-2", "flow", [5.0])])
        assert (rejected.entry, rejected.reason) == (batch, "not_finite")
        assert rejected.rows is not None
        assert rejected.rows.num_rows == 2
        holds(count, 3)


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
