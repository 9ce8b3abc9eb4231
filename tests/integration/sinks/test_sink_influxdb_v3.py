"""The InfluxDB sink against recorded answers of InfluxDB 3 (``tests/servers/influxdb3.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sinks.influxdb import PLUGIN, InfluxDBSettings
from headrace.errors import SinkUnavailable
from tests.gateway_entries import series
from tests.servers.http import HttpServer, Reply, http_server
from tests.servers.influxdb3 import InfluxDB3


@pytest.fixture
def database() -> InfluxDB3:
    return InfluxDB3(token="secret")


@pytest.fixture
def server(database: InfluxDB3) -> Iterator[HttpServer]:
    with http_server(database) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["gzip", "plain"])
def settings(
    request: pytest.FixtureRequest, server: HttpServer, tmp_path: Path
) -> InfluxDBSettings:
    token = tmp_path / "token"
    token.write_text("secret\n")
    return InfluxDBSettings(
        api="v3", url=server.url, database="iot", token_file=token, gzip=request.param
    )


def test_bad_points_are_named_by_the_server_and_cost_one_request(
    database: InfluxDB3, server: HttpServer, settings: InfluxDBSettings
) -> None:
    """One bad point never blocks or loses the rest, and nothing is searched for."""
    database.bad = {3.0, 500.0, 999.0}
    sink = PLUGIN.build(settings, site="s")
    batches = [
        series("a", "x", [float(at) for at in range(400)]),
        series("b", "x", [float(at) for at in range(400, 1_000)]),
    ]
    rejected = sink.write(batches)
    sink.close()
    assert [(one.entry.device, one.rows.column(2).to_pylist()) for one in rejected if one.rows] == [
        ("a", [3.0]),
        ("b", [500.0, 999.0]),
    ]
    assert "invalid column type" in rejected[0].detail
    assert len(database.lines) == 997
    (request,) = server.requests
    assert request.path == "/api/v3/write_lp?db=iot&precision=microsecond&accept_partial=true"
    assert (request.raw != request.body) == settings.gzip


def test_a_wrong_token_keeps_the_batch_and_a_redirect_does_not_get_it(
    server: HttpServer, settings: InfluxDBSettings, tmp_path: Path
) -> None:
    """People mend tokens; and a token goes to nobody but the configured server."""
    (tmp_path / "token").write_text("wrong")
    sink = PLUGIN.build(settings, site="s")
    with pytest.raises(SinkUnavailable, match=r"401.*check token_file"):
        sink.write([series("d", "x", [1.0])])
    with http_server() as elsewhere:
        server.answer = lambda _: Reply(307, headers={"Location": elsewhere.url})
        with pytest.raises(SinkUnavailable, match="307"):
            sink.write([series("d", "x", [1.0])])
        assert elsewhere.requests == []
    sink.close()
