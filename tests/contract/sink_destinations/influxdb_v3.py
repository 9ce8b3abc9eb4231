"""InfluxDB 3, as its recorded answers have it (``tests/servers/influxdb3.py``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.sinks.influxdb import PLUGIN, InfluxDBSettings
from tests.contract.sink_destinations import Destination
from tests.servers import free_port
from tests.servers.http import http_server
from tests.servers.influxdb3 import InfluxDB3
from tests.servers.link import Link


def make(folder: Path) -> Destination:
    port, database = free_port(), InfluxDB3()
    link = Link(port)
    settings = InfluxDBSettings(api="v3", url=f"http://127.0.0.1:{link.port}", database="iot", timeout_s=2.5)  # fmt: skip

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        with http_server(database, port=port):
            link.mend()
            yield lambda: len(database.lines)

    return Destination(PLUGIN.build(settings, site="s"), up, link=link)
