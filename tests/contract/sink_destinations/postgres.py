"""PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.sinks.postgres import PLUGIN, PostgresSettings
from tests.contract.sink_destinations import Bad, Destination
from tests.gateway_entries import series
from tests.servers import free_port
from tests.servers.link import Link
from tests.servers.postgres import Postgres, postgres


def make(folder: Path) -> Destination:
    port = free_port()
    link = Link(port)
    settings = PostgresSettings(conninfo=Postgres(link.port).conninfo, timeout_s=2.5)

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        with postgres(folder, port=port) as server:
            link.mend()
            yield server.count

    bad = Bad(series("pump-1", "state", ["on", "o\0ff", "\0", "off"]), "bad_text", 2)
    sink = PLUGIN.build(settings, site="s")
    return Destination(sink, up, bad=bad, link=link)
