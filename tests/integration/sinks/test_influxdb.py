"""The InfluxDB sink against a real InfluxDB 1.x: what it writes, and what it does with refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sinks.consumer import SinkConsumer
from gateway.sinks.influxdb import InfluxDBSink, build
from gateway.sinks.influxdb.config import InfluxDBSettings
from headrace.clock import SystemClock
from headrace.errors import SinkUnavailable
from headrace.limits.sinks import INFLUXDB_MAX_LINES
from headrace.metrics import Metrics
from tests.gateway_entries import SECOND, START, entry, rows, series
from tests.servers.influxdb import InfluxDB, influxdb


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    with influxdb(tmp_path_factory.mktemp("influxdb")) as running:
        yield running


@pytest.fixture
def database(server: InfluxDB) -> Iterator[str]:
    server.query("CREATE DATABASE iot")
    yield "iot"
    server.query("DROP DATABASE iot")


@pytest.fixture(params=[True, False], ids=["gzip", "plain"])
def sink(request: pytest.FixtureRequest, server: InfluxDB, database: str) -> Iterator[InfluxDBSink]:
    settings = InfluxDBSettings(api="v1", url=server.url, database=database, gzip=request.param)
    made = build(settings, site="plant a")
    yield made
    made.close()


def test_tags_fields_and_times_arrive_as_they_were(server: InfluxDB, sink: InfluxDBSink) -> None:
    """Also names that line protocol has to escape, texts with quotes and line breaks."""
    odd = 'a,b=c d;x=ü"\\z'
    text = 'say "hi", \\ and\nbye'
    batch = entry("pump-1", rows([odd, odd], [START + 1, START + 2], [0.1 + 0.2, text]))
    assert sink.write([batch]) == []
    found = server.query('SELECT value, text, device, "name", site FROM readings', "iot")
    assert found == [
        [START + 1, 0.1 + 0.2, None, "pump-1", odd, "plant a"],
        [START + 2, None, text, "pump-1", odd, "plant a"],
    ]


def test_a_name_that_line_protocol_cannot_say_is_rejected(
    server: InfluxDB, sink: InfluxDBSink
) -> None:
    """A backslash in front of a separator, or a line break."""
    names = ["ok", "ends\\", "a\\,b", "two\nlines"]
    batch = entry("d", rows(names, [START] * 4, [1.0, 2.0, 3.0, 4.0]))
    (rejected,) = sink.write([batch])
    assert rejected.reason == "bad_name"
    assert rejected.rows is not None
    assert rejected.rows.column(2).to_pylist() == [2, 3, 4]
    assert server.count("iot") == 1


def test_points_beyond_the_retention_policy_are_found_one_by_one(
    server: InfluxDB, database: str
) -> None:
    """A partial write is taken apart: each bad reading goes to quarantine, each good one is there."""
    server.query("CREATE RETENTION POLICY short ON iot DURATION 1h REPLICATION 1 DEFAULT")
    made = build(InfluxDBSettings(api="v1", url=server.url, database=database), site="s")
    now = SystemClock().now_us()
    times = [now - at * SECOND for at in range(200)]
    bad = (0, 17, 18, 199)
    for at in bad:
        times[at] -= 10_000 * SECOND
    batch = entry("d", rows(["x"] * 200, times, [float(at) for at in range(200)]))
    (rejected,) = made.write([series("c", "x", [1.0], start_s=(now - START) / SECOND), batch])
    made.close()
    assert rejected.entry is batch
    assert rejected.reason == "refused"
    assert "beyond retention policy" in rejected.detail
    assert rejected.rows is not None
    assert rejected.rows.column(2).to_pylist() == [float(at) for at in bad]
    assert server.count("iot") == 197


def test_a_field_of_another_type_refuses_everything_without_a_search(
    server: InfluxDB, sink: InfluxDBSink
) -> None:
    """The server says that it dropped all of them: one request, no halving."""
    taken = build(InfluxDBSettings(api="v1", url=server.url, database="iot"), site="s")
    # Somebody else has used the measurement with texts in the field "value".
    answer = taken._writer.post(f'readings,device=z value="x" {START}'.encode())
    assert answer.status == 204
    posts = []
    original = sink._writer.post
    sink._writer.post = lambda payload: (posts.append(payload), original(payload))[1]  # type: ignore[method-assign]
    (rejected,) = sink.write([series("d", "x", [1.0] * 1_000)])
    taken.close()
    assert rejected.rows is not None
    assert rejected.rows.num_rows == 1_000
    assert "conflict" in rejected.detail
    assert len(posts) == 1


def test_a_large_batch_goes_in_several_requests(server: InfluxDB, sink: InfluxDBSink) -> None:
    """None has more lines than the server likes."""
    count = 2 * INFLUXDB_MAX_LINES + 1
    assert sink.write([series("d", "x", [1.0] * count, step_s=0.001)]) == []
    assert server.count("iot") == count


def test_a_missing_database_keeps_the_batch_and_says_what_to_do(server: InfluxDB) -> None:
    """People create databases after gateways; nothing may be lost until they do."""
    made = build(InfluxDBSettings(api="v1", url=server.url, database="nobody"), site="s")
    with pytest.raises(SinkUnavailable, match=r"404.*create the bucket or database"):
        made.write([series("d", "x", [1.0])])
    made.close()


def test_a_password_is_read_from_its_file_and_a_wrong_one_keeps_the_batch(tmp_path: Path) -> None:
    """Basic auth against a server that asks for it."""
    password = tmp_path / "password"
    password.write_text("wrong\n")
    with influxdb(tmp_path / "server", auth=True) as server:
        server.query("CREATE USER gateway WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
        known = InfluxDB(server.port, ("gateway", "secret"))
        known.query("CREATE DATABASE iot")
        settings = InfluxDBSettings(
            api="v1", url=server.url, database="iot", username="gateway", password_file=password
        )
        wrong = build(settings, site="s")
        with pytest.raises(SinkUnavailable, match="401"):
            wrong.write([series("d", "x", [1.0])])
        password.write_text("secret\n")
        right = build(settings, site="s")
        right.write([series("d", "x", [1.0])])
        assert known.count("iot") == 1
        wrong.close()
        right.close()


def test_odd_times_make_no_shards_of_other_centuries(server: InfluxDB, database: str) -> None:
    """Held back and counted by default; where they are wanted, they are points like any."""
    odd = entry("mcu", rows(["x"] * 4, [1, START, START + 1, 4_070_908_800 * SECOND], [1.0, 2.0, 3.0, 4.0]), received_at=START)  # fmt: skip
    metrics = Metrics("gateway")
    for hold, points, shards in ((True, 2, 1), (False, 4, 3)):
        settings = InfluxDBSettings(api="v1", url=server.url, database=database)
        sink = SinkConsumer("tsdb", build(settings, site="s"), True, metrics, hold_odd=hold)
        sink.committed(sink.step([odd], START))
        sink.close()
        assert server.count(database) == points
        assert len(shards_of(server, database)) == shards
    verdicts = [metrics.value("sink_readings", sink="tsdb", verdict=v) for v in ("hold", "accept")]
    assert verdicts == [2, 6]


def shards_of(server: InfluxDB, database: str) -> list[list[object]]:
    return [shard for shard in server.query("SHOW SHARDS") if shard[1] == database]
