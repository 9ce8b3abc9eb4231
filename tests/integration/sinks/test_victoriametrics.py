"""The v2 write API through influxdb-client, against a real VictoriaMetrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.sinks.influxdb import build
from gateway.sinks.influxdb.config import InfluxDBSettings
from tests.gateway_entries import SECOND, START, series
from tests.servers import wait_until
from tests.servers.victoriametrics import victoriametrics


@pytest.mark.parametrize("gzip", [True, False])
def test_numbers_arrive_with_their_tags_and_times(tmp_path: Path, gzip: bool) -> None:
    """With and without gzip."""
    token = tmp_path / "token"
    token.write_text("any\n")
    with victoriametrics(tmp_path / "server") as server:
        settings = InfluxDBSettings(
            url=server.url, org="o", bucket="iot", token_file=token, gzip=gzip
        )
        sink = build(settings, site="plant-a")
        assert sink.write([series("pump-1", "flow rate", [1.5, 2.5])]) == []
        sink.close()
        wait_until(lambda: server.count() == 2, 10, "both numbers can be read")
        (found,) = server.export('{__name__="readings_value"}')
    assert found["metric"] == {
        "__name__": "readings_value",
        "device": "pump-1",
        "name": "flow rate",
        "site": "plant-a",
    }
    assert found["values"] == [1.5, 2.5]
    assert found["timestamps"] == [START // 1_000, (START + SECOND) // 1_000]
