"""A second gateway with its own broker, behind a cable; its ack is awaited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.sinks.mqtt import PLUGIN, MqttSettings
from headrace.journal import JournalReader
from headrace.limits.sizes import MIB
from tests.contract.sink_destinations import Bad, Destination
from tests.gateway_entries import series
from tests.programs import Programs, make_gateway
from tests.servers import free_port
from tests.servers.link import Link


def count_readings(journal: Path) -> int:
    """What devices sent; the gateway's own readings are not counted."""
    with JournalReader(journal) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=64 * MIB)
    return sum(row.rows for row in rows if row.device.startswith("pump"))


def make(folder: Path) -> Destination:
    port = free_port()
    link = Link(port)
    folder.mkdir()
    programs = Programs(folder)
    settings = MqttSettings(port=link.port, timeout_s=4, max_bytes=2_000)

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        link.mend()
        gateway = make_gateway(programs, mqtt_port=port)
        gateway.start()
        try:
            gateway.wait_ready()
            yield lambda: count_readings(gateway.journal)
        finally:
            gateway.program.stop()

    # zstd leaves little of a long word, so the words differ.
    long = "".join(f"{number * number:x}" for number in range(2_000))
    bad = Bad(series("pump-1", "note", ["a", long, "b", long]), "too_large", 2)
    return Destination(PLUGIN.build(settings, site="s"), up, bad, link)
