"""A Kafka-compatible broker behind a cable: away is a cable that is cut.

It keeps its topics in memory, so it is not restarted here (tests/integration/sinks/test_kafka.py does that, with
topics in object storage).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.contract.sink_destinations import Bad, Destination
from tests.gateway_entries import series
from tests.servers import free_port
from tests.servers.kafka import tansu
from tests.servers.link import Link

TOPIC = "readings"


def make(folder: Path) -> Destination:
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing")
    from gateway.sinks.kafka import PLUGIN, KafkaSettings

    port = free_port()
    link = Link(port)
    link.cut()
    settings = KafkaSettings(
        brokers=f"127.0.0.1:{link.port}", topic=TOPIC, partitions=2, timeout_s=4,
        message_max_bytes=20_000,
    )  # fmt: skip
    running = ExitStack()
    kafka = running.enter_context(tansu(folder, port=port, advertised=link.port))
    running.callback(link.close)

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        link.mend()
        try:
            yield lambda: kafka.count(TOPIC)
        finally:
            link.cut()

    long = "x" * 30_000
    bad = Bad(series("pump-1", "note", ["a", long, "b", long]), "too_large", 2)
    sink = PLUGIN.build(settings, site="s")
    return Destination(sink, up, bad, link, running.close)
