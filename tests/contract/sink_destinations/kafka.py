"""A Kafka-compatible broker that keeps its topics in object storage, behind a cable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.sink_destinations import Bad, Destination
from tests.gateway_entries import series
from tests.servers import free_port
from tests.servers.kafka import tansu
from tests.servers.link import Link
from tests.servers.weed import run_weed

TOPIC = "readings"


def make(folder: Path) -> Destination:
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing")
    from gateway.sinks.kafka import PLUGIN, KafkaSettings

    port = free_port()
    link = Link(port)
    settings = KafkaSettings(
        brokers=f"127.0.0.1:{link.port}", topic=TOPIC, partitions=2, timeout_s=2,
        message_max_bytes=20_000,
    )  # fmt: skip

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        with (
            run_weed(folder / "weed") as weed,
            tansu(folder, port=port, advertised=link.port, weed=weed) as kafka,
        ):
            link.mend()
            yield lambda: kafka.count(TOPIC)

    long = "x" * 30_000
    bad = Bad(series("pump-1", "note", ["a", long, "b", long]), "too_large", 2)
    return Destination(PLUGIN.build(settings, site="s"), up, bad, link.swallow)
