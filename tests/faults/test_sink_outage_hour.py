"""InfluxDB is dead while an hour of a site's readings arrives, and the gateway is killed amid it.

Twenty devices of 50 readings a second, sent as fast as mosquitto takes them, with reading times spread
over an hour. Then InfluxDB comes back: the newest readings are there while history still follows, and at
the end it and the lake hold every reading once, by count and sum per device.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
import pyarrow as pa
import pytest

from headrace.codecs import BATCH_SCHEMA, arrow
from headrace.codecs.columns import TIME_TYPE
from headrace.journal import JournalReader
from headrace.lake.config import Lake
from headrace.query.engine import Engine
from headrace.query.sources import collect
from headrace.topics import Topics
from tests.bench.meter import usage
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.influxdb import InfluxDB, influxdb
from tests.servers.mosquitto import EXECUTABLE, mosquitto

DEVICES = tuple(f"pump-{number:02}" for number in range(20))
SERIES, SECONDS, SECONDS_A_BATCH = 50, 3600, 60
PER_DEVICE, ROWS = SERIES * SECONDS, SERIES * SECONDS_A_BATCH
BATCHES = len(DEVICES) * SECONDS // SECONDS_A_BATCH
TOTAL = len(DEVICES) * PER_DEVICE

#: What the gateway may take, as the memory bench has it for 10,000 devices.
MOST_MB = 600
_HISTORY = 'headrace_gateway_lane_readings_total{lane="backfill",sink="influxdb"}'
_BACKLOG = 'headrace_gateway_lane_lag_batches{lane="backfill",sink="influxdb"}'

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
"""


def batch(device: str, first: int, rows: int, start_us: int) -> bytes:
    """``rows`` readings from ``first`` on; a value is its seq, a time follows from it."""
    seqs = np.arange(first, first + rows)
    names = pa.array([f"series-{at}" for at in range(SERIES)], pa.utf8())
    columns = [
        pa.DictionaryArray.from_arrays(pa.array((seqs - 1) % SERIES, pa.int32()), names),
        pa.array(start_us + (seqs - 1) // SERIES * 1_000_000, pa.int64()).cast(TIME_TYPE),
        pa.array(seqs, pa.float64()),
        pa.nulls(rows, pa.utf8()),
    ]
    table = pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA)
    return arrow.encode(table, stream=f"{DEVICES.index(device):016x}", first_seq=first)


def hour(start_us: int) -> Iterator[tuple[str, bytes]]:
    """All devices' batches, minute by minute."""
    for first in range(1, PER_DEVICE, ROWS):
        for device in DEVICES:
            yield device, batch(device, first, ROWS, start_us)


class Site:
    """Publishes for all devices; a batch is mosquitto's when ``publish`` returns."""

    def __init__(self, port: int) -> None:
        self._topics = Topics()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="site")
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, device: str, payload: bytes) -> None:
        self._client.publish(self._topics.data(device, "arrow"), payload, qos=1).wait_for_publish(
            30
        )

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass
class Memory:
    """The most that any of a gateway's processes has had, in MB."""

    peak_mb: float = 0.0

    def look(self, gateway: Gateway) -> float:
        assert gateway.program.process is not None
        now = usage(gateway.program.process.pid)
        self.peak_mb = max(self.peak_mb, now.peak_mb)
        return now.rss_mb


@pytest.mark.timeout(170)
@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_an_hour_without_influxdb_loses_and_doubles_nothing(
    programs: Programs, tmp_path: Path
) -> None:
    """3.6 million readings wait, the gateway is killed among them; then each is there once."""
    port, start_us = free_port(), (time.time_ns() // 10**9 - SECONDS) * 10**6
    began, memory = time.monotonic(), Memory()
    with mosquitto(tmp_path) as broker:
        gateway = make_gateway(
            programs, kind="external", mqtt_port=broker.port, extra=[_SINK.format(port=port)]
        )
        cloud = programs.make("cloud_sync", cloud_config(tmp_path, gateway.journal))
        site = Site(broker.port)
        with influxdb(tmp_path / "influxdb", port=port) as server:
            server.query("CREATE DATABASE iot")
        gateway.start()
        gateway.wait_ready()
        before_mb = memory.look(gateway)
        cloud.start()
        for number, (device, payload) in enumerate(hour(start_us)):
            site.publish(device, payload)
            if number == BATCHES // 2:
                memory.look(gateway)
                gateway.program.kill()
                gateway.start()
        wait_until(lambda: journalled(gateway) >= BATCHES, 60, "the hour is on disk")
        arrived_s, held_mb = time.monotonic() - began, memory.look(gateway)
        with influxdb(tmp_path / "influxdb", port=port) as server:
            back = time.monotonic()
            show_the_present(gateway, server, site, start_us)
            wait_until(lambda: gateway.metric(_BACKLOG) == 0, 90, "history has followed")
            took_s, after_mb = time.monotonic() - back, memory.look(gateway)
            in_influxdb = count_and_sum(server)
        site.close()
        assert gateway.program.stop() == 0
        assert cloud.stop() == 0
    print(f"{TOTAL + len(DEVICES):,} readings, {arrived_s:.0f} s to arrive, {took_s:.0f} s to be "
          f"in InfluxDB; gateway {before_mb:.0f} MB before, {held_mb:.0f} MB held, {after_mb:.0f} MB "
          f"after, {memory.peak_mb:.0f} MB at most")  # fmt: skip
    count = PER_DEVICE + 1
    assert in_influxdb == [(count, count * (count + 1) / 2)] * len(DEVICES)
    assert in_the_lake(tmp_path, gateway.journal) == [
        (device, count, count, count * (count + 1) / 2) for device in DEVICES
    ]
    assert memory.peak_mb < MOST_MB


def cloud_config(folder: Path, journal: Path) -> str:
    return f"""
[journal]
path = "{journal}"
[lake]
uri = "{folder / "lake"}"
[landing]
interval_s = 2
[register]
interval_s = 2
"""


def journalled(gateway: Gateway) -> int:
    with JournalReader(gateway.journal) as reader:
        return reader.head()


def show_the_present(gateway: Gateway, server: InfluxDB, site: Site, start_us: int) -> None:
    """One more reading of each device, and it is in InfluxDB while history still follows."""
    wait_until(lambda: gateway.metric(_HISTORY) > 0, 60, "history begins to follow")
    for device in DEVICES:
        site.publish(device, batch(device, PER_DEVICE + 1, 1, start_us))
    newest = f"SELECT count(value) FROM readings WHERE time >= {start_us + SECONDS * 1_000_000}u"

    def shown() -> bool:
        return [row[1] for row in server.query(newest, "iot")] == [len(DEVICES)]

    wait_until(shown, 60, "the newest readings are there")
    assert gateway.metric(_BACKLOG) > 0, "and history is not"


def count_and_sum(server: InfluxDB) -> list[tuple[int, float]]:
    """Of each device in order; several series of InfluxDB make one device."""
    rows = server.query("SELECT count(value), sum(value) FROM readings GROUP BY device", "iot")
    return [(int(count), float(total)) for _, count, total in rows]


def in_the_lake(folder: Path, journal: Path) -> list[tuple[object, ...]]:
    lake = Lake(uri=str(folder / "lake"))
    with JournalReader(journal) as reader:
        assert reader.cursor("lake") == reader.head(), "cloud-sync has not landed everything"
    with Engine(collect(lake, None), lake) as engine:
        found = engine.query(
            "SELECT device, count(*), count(DISTINCT seq), sum(value) FROM readings "
            "WHERE device LIKE 'pump-%' GROUP BY 1 ORDER BY 1"
        ).read_all()
    return [tuple(row.values()) for row in found.to_pylist()]
