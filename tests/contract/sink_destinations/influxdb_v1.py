"""InfluxDB 1.x."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.sinks.influxdb import PLUGIN, InfluxDBSettings
from tests.contract.sink_destinations import Destination
from tests.servers import free_port
from tests.servers.influxdb import influxdb


def make(folder: Path) -> Destination:
    port = free_port()
    settings = InfluxDBSettings(api="v1", url=f"http://127.0.0.1:{port}", database="iot")

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        with influxdb(folder, port=port) as server:
            server.query("CREATE DATABASE iot")
            yield lambda: server.count("iot")

    return Destination(PLUGIN.build(settings, site="s"), up)
