"""VictoriaMetrics, through the v2 write API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.sinks.influxdb import PLUGIN, InfluxDBSettings
from tests.contract.sink_destinations import Destination
from tests.servers import free_port
from tests.servers.victoriametrics import victoriametrics


def make(folder: Path) -> Destination:
    port = free_port()
    settings = InfluxDBSettings(url=f"http://127.0.0.1:{port}", org="o", bucket="iot")

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        with victoriametrics(folder, port=port) as server:
            yield server.count

    return Destination(PLUGIN.build(settings, site="s"), up)
