"""A sink is dead while an hour of a site's readings arrives, and the gateway is killed amid it.

Twenty devices of 50 readings a second, sent as fast as mosquitto takes them, with reading times spread
over an hour. Then the sink comes back: the newest readings are there while history still follows, and at
the end it and the lake hold every reading once, by count and sum per device. Once the sink is an InfluxDB,
once another gateway.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headrace import codecs
from headrace.codecs import BATCH_SCHEMA, arrow
from headrace.codecs.columns import TIME_TYPE
from headrace.journal import JournalReader
from headrace.lake.config import Lake
from headrace.limits.sizes import GIB
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

#: Count and sum of each device's readings, the one of the present included; a value is its seq.
EACH = (PER_DEVICE + 1, (PER_DEVICE + 1) * (PER_DEVICE + 2) / 2)

#: What the gateway may take at most; `python -m tests.bench.memory` has the same bound.
MOST_MB = 600

_SINK = """
[vitals]
enabled = false
[[sinks]]
required = true
live_within_s = 1.0
"""
_INFLUXDB = f"""{_SINK}
plugin = "influxdb"
api = "v1"
database = "iot"
url = "http://127.0.0.1:%d"
"""
_GATEWAY = f"""{_SINK}
plugin = "mqtt"
port = %d
timeout_s = 2
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
class Outage:
    """A gateway whose sink was dead while an hour of readings arrived; now they are on its disk."""

    gateway: Gateway
    site: Site
    sink: str
    start_us: int
    peak_mb: float = 0.0
    figures: list[str] = field(default_factory=list)

    def arrive(self) -> None:
        """The hour; amid it the gateway is killed, and the devices go on."""
        began = time.monotonic()
        self.look("before")
        for number, (device, payload) in enumerate(hour(self.start_us)):
            self.site.publish(device, payload)
            if number == BATCHES // 2:
                self.look("when killed")
                self.gateway.program.kill()
                self.gateway.program.start()
        wait_until(lambda: head(self.gateway) >= BATCHES, 60, "the hour is on disk")
        wait_until(self.gateway.answers, 30, "the gateway is up")
        self.look(f"with all on disk after {time.monotonic() - began:.0f} s")

    def come_back(self, shown: Callable[[], bool]) -> None:
        """The sink is there again: what comes now is shown in it while history follows; then all is."""
        began, backlog = time.monotonic(), self._lane("lag_batches", "backfill")
        history = self._lane("readings_total", "backfill")
        wait_until(lambda: self.gateway.metric(history) > 0, 60, "history begins to follow")
        for device in DEVICES:
            self.site.publish(device, batch(device, PER_DEVICE + 1, 1, self.start_us))
        wait_until(shown, 60, "the newest readings are there")
        assert self.gateway.metric(backlog) > 0, "and history is not"
        wait_until(lambda: self.gateway.metric(backlog) == 0, 300, "history has followed")
        self.look(f"with all in the sink after {time.monotonic() - began:.0f} s")

    def look(self, when: str) -> None:
        assert self.gateway.program.process is not None
        now = usage(self.gateway.program.process.pid)
        self.peak_mb = max(self.peak_mb, now.peak_mb)
        self.figures.append(f"{now.rss_mb:.0f} MB {when}")

    def _lane(self, what: str, lane: str) -> str:
        return f'headrace_gateway_lane_{what}{{lane="{lane}",sink="{self.sink}"}}'


@contextmanager
def outage(programs: Programs, folder: Path, sink: str, config: str) -> Iterator[Outage]:
    """The block is what happens after it; then the gateway stops and the lake is compared."""
    with mosquitto(folder) as broker:
        gateway = make_gateway(programs, kind="external", mqtt_port=broker.port, extra=[config])
        cloud = programs.make("cloud_sync", cloud_config(folder, gateway.journal))
        site = Site(broker.port)
        gateway.start()
        gateway.wait_ready()
        cloud.start()
        start_us = (time.time_ns() // 10**9 - SECONDS) * 10**6
        found = Outage(gateway, site, sink, start_us)
        found.arrive()
        yield found
        site.close()
        assert gateway.program.stop() == 0
        assert cloud.stop() == 0
    print(f"{len(DEVICES) * EACH[0]:,} readings; gateway: {', '.join(found.figures)}; "
          f"{found.peak_mb:.0f} MB at most")  # fmt: skip
    count, total = EACH
    assert in_the_lake(folder, gateway.journal) == [
        (device, count, count, total) for device in DEVICES
    ]
    assert found.peak_mb < MOST_MB


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_an_hour_without_influxdb_loses_and_doubles_nothing(
    programs: Programs, tmp_path: Path
) -> None:
    """3.6 million readings wait, the gateway is killed among them; then each is there once."""
    folder, port = tmp_path / "influxdb", free_port()
    with influxdb(folder, port=port) as server:
        server.query("CREATE DATABASE iot")
    with (
        outage(programs, tmp_path, "influxdb", _INFLUXDB % port) as site,
        influxdb(folder, port=port) as server,
    ):
        present_us = site.start_us + SECONDS * 1_000_000
        newest = f"SELECT count(value) FROM readings WHERE time >= {present_us}u"
        site.come_back(lambda: [row[1] for row in server.query(newest, "iot")] == [len(DEVICES)])
        assert in_influxdb(server) == [EACH] * len(DEVICES)


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_an_hour_without_the_other_gateway_loses_and_doubles_nothing(
    programs: Programs, tmp_path: Path
) -> None:
    """The same towards a second gateway by the MQTT sink."""
    (tmp_path / "far").mkdir()
    others = Programs(tmp_path / "far")
    far = make_gateway(others)
    try:
        with outage(programs, tmp_path, "mqtt", _GATEWAY % far.mqtt_port) as site:
            far.start()
            site.come_back(lambda: newest_in_journal(far) == len(DEVICES))
            assert in_journal(far) == dict.fromkeys(DEVICES, EACH)
    finally:
        others.close()


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


def head(gateway: Gateway) -> int:
    with JournalReader(gateway.journal) as reader:
        return reader.head()


def in_influxdb(server: InfluxDB) -> list[tuple[int, float]]:
    """Count and sum of each device, in order."""
    rows = server.query("SELECT count(value), sum(value) FROM readings GROUP BY device", "iot")
    return [(int(count), float(total)) for _, count, total in rows]


def newest_in_journal(gateway: Gateway) -> int:
    """How many devices' readings of the present it has."""
    with closing(sqlite3.connect(f"file:{gateway.journal}?mode=ro", uri=True)) as db:
        (count,) = db.execute(
            "SELECT count(*) FROM batches WHERE last_seq = ?", (PER_DEVICE + 1,)
        ).fetchone()
    return int(count)


def in_journal(gateway: Gateway) -> dict[str, tuple[int, float]]:
    """Count and sum of each device."""
    found = dict.fromkeys(DEVICES, (0, 0.0))
    with JournalReader(gateway.journal) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=GIB)
    for row in rows:
        if row.device in found:
            values = codecs.decode(row.format, row.payload, row.received_at).rows.column("value")
            count, total = found[row.device]
            found[row.device] = (count + len(values), total + float(pc.sum(values).as_py()))
    return found


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
