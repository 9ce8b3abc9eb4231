"""An outage of InfluxDB as a gateway sees it: current at once, history after, nothing lost over a kill."""

from __future__ import annotations

from pathlib import Path

from tests.batches import T0, payload
from tests.devices import Device
from tests.programs import Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.influxdb import influxdb

STREAM = "0123456789abcdef"
BATCHES, ROWS = 100, 5_000

_SINK = """
[vitals]
enabled = false
[[sinks]]
plugin = "influxdb"
api = "v1"
url = "http://127.0.0.1:{port}"
database = "iot"
required = true
live_within_s = 1.0
backfill_readings_per_s = {rate}
"""


def test_a_database_that_comes_back_shows_the_present_before_the_past(
    programs: Programs, tmp_path: Path
) -> None:
    """Half a million readings are waiting when it does; the gateway is killed amid their backfill."""
    port = free_port()
    gateway = make_gateway(programs, extra=[_SINK.format(port=port, rate=50_000)])
    gateway.start()
    gateway.wait_ready()
    device = Device("pump-1", gateway.mqtt_port)
    for at in range(BATCHES):
        device.publish(payload(STREAM, 1 + at * ROWS, ROWS))
    device.wait_acked(BATCHES * ROWS)
    failures = 'headrace_gateway_consumer_failures_total{consumer="sink/influxdb"}'
    before = gateway.metric(failures)
    # Attempts are half a second and more apart: after three the readings are late.
    wait_until(lambda: gateway.metric(failures) >= before + 3, 60, "it is away for a while")
    with influxdb(tmp_path / "influxdb", port=port) as server:
        server.query("CREATE DATABASE iot")
        lag = 'headrace_gateway_lane_lag_batches{lane="backfill",sink="influxdb"}'
        wait_until(lambda: gateway.metric(lag) > 10, 60, "the live lane is at the head")
        device.publish(payload(STREAM, 1 + BATCHES * ROWS, 1))
        newest = (
            f"SELECT value FROM readings WHERE time >= {T0 + (1 + BATCHES * ROWS) * 1_000_000}u"
        )
        wait_until(lambda: server.query(newest, "iot"), 10, "the newest reading is there")
        assert gateway.metric(lag) > 0, "and history is not"
        device.close()
        gateway.program.kill()
        gateway.start()
        total = BATCHES * ROWS + 1
        wait_until(lambda: server.count("iot") == total, 90, "all is there")
        wait_until(lambda: gateway.metric(lag) == 0, 10, "nothing is left of history")
        cursors = {
            each["consumer"]: each["lag_batches"] for each in gateway.get("api/v1/consumers")
        }
        assert cursors["sink/influxdb"] == 0
    assert gateway.program.stop() == 0
