"""How long a reading takes to be acknowledged, to reach a sink, and to wake somebody.

Four devices publish 100,000 readings/s together, in batches of 1,000. Beside them a new device publishes
one reading above a rule's limit ten times a second. Measured from that publish: until the gateway's ack
(it is on disk), until the reading has come through a sink (MQTT, another topic), and until the
notification about the alert arrives as an HTTP request.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
import pyarrow as pa
from paho.mqtt.enums import CallbackAPIVersion

from headrace.codecs import BATCH_SCHEMA, arrow
from tests.bench.meter import Usage, difference, usage
from tests.programs import Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.mosquitto import mosquitto

DEVICES, ROWS, PER_DEVICE_HZ = 4, 1_000, 25
ALARM_HZ = 10
STEPS = ("ack", "sink", "alert")


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """Seconds from publish, by step; ``published`` counts the alarms."""

    published: int
    readings_per_s: float
    seconds: dict[str, list[float]]
    gateway: Usage
    elapsed_s: float


class Stopwatch:
    """When each alarm was published and what has come back of it since."""

    def __init__(self) -> None:
        self.published: dict[str, float] = {}
        self.seconds: dict[str, dict[str, float]] = {step: {} for step in STEPS}

    def start(self, device: str) -> None:
        self.published[device] = time.perf_counter()

    def stop(self, step: str, device: str) -> None:
        if device in self.published:
            elapsed = time.perf_counter() - self.published[device]
            self.seconds[step].setdefault(device, elapsed)

    def complete(self) -> bool:
        return all(len(found) == len(self.published) for found in self.seconds.values())


def run_latency(folder: Path, seconds: float) -> LatencyResult:
    """Publish for so long, then wait until everything has come back."""
    watch = Stopwatch()
    programs = Programs(folder)
    with mosquitto(folder, persistence=False) as broker, _hook(watch) as hook:
        gateway = make_gateway(
            programs, kind="external", mqtt_port=broker.port,
            journal="hold_for = []", extra=[_TOML.format(port=broker.port, hook=hook)],
        )  # fmt: skip
        gateway.start()
        gateway.wait_ready()
        client = _client(broker.port, watch)
        try:
            assert gateway.program.process is not None
            pid = gateway.program.process.pid
            before, began = usage(pid), time.perf_counter()
            sent = _publish(client, watch, seconds)
            elapsed = time.perf_counter() - began
            wait_until(watch.complete, 60, "every alarm has been acknowledged and notified")
            used = difference(usage(pid), before)
        finally:
            client.disconnect()
            client.loop_stop()
            programs.close()
    times = {step: sorted(found.values()) for step, found in watch.seconds.items()}
    return LatencyResult(len(watch.published), sent / elapsed, times, used, elapsed)


def _publish(client: mqtt.Client, watch: Stopwatch, seconds: float) -> int:
    """The load and the alarms, each at its rate; the readings that were published."""
    ticks = round(seconds * PER_DEVICE_HZ)
    sent = 0
    began = time.perf_counter()
    alarms = 0
    for tick in range(ticks):
        for number in range(DEVICES):
            payload = _load(number, tick)
            client.publish(f"headrace/v1/load-{number}/data/arrow", payload, qos=1)
            sent += ROWS
            # In step with the load, not behind it: what alarms meet is a busy gateway.
            if alarms < (time.perf_counter() - began) * ALARM_HZ:
                device = f"alarm-{alarms}"
                watch.start(device)
                client.publish(f"headrace/v1/{device}/data/arrow", _alarm(alarms), qos=1)
                alarms += 1
            threading.Event().wait(
                max(0.0, began + (tick + (number + 1) / DEVICES) / PER_DEVICE_HZ - time.perf_counter())
            )  # fmt: skip
    return sent


def _load(device: int, tick: int) -> bytes:
    now = time.time_ns() // 1_000
    times = now - np.arange(ROWS - 1, -1, -1) * (1_000_000 // PER_DEVICE_HZ // ROWS)
    names = pa.DictionaryArray.from_arrays(
        pa.array(np.arange(ROWS, dtype=np.int32) % 8), pa.array([f"flow_{n}" for n in range(8)])
    )
    values = np.sin(np.arange(ROWS) / 50.0 + tick)
    return _encode(names, times, values, f"{device:016x}", tick * ROWS + 1)


def _alarm(number: int) -> bytes:
    names = pa.array(["temperature"]).dictionary_encode()
    return _encode(names, np.array([time.time_ns() // 1_000]), np.array([99.0]), f"{number + 100:016x}", 1)  # fmt: skip


def _encode(
    names: pa.DictionaryArray, times: np.ndarray, values: np.ndarray, stream: str, seq: int
) -> bytes:
    columns = [
        names,
        pa.array(times, pa.int64()).cast(BATCH_SCHEMA.field("time").type),
        pa.array(values, pa.float64()),
        pa.nulls(len(times), pa.utf8()),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA)
    return arrow.encode(rows, stream=stream, first_seq=seq, clock="synced")


def _client(port: int, watch: Stopwatch) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-latency")
    ready = threading.Event()
    client.on_connect = lambda made, *_: made.subscribe(
        [("headrace/v1/+/ack", 0), ("sunk/v1/+/data/arrow", 0)]
    )
    client.on_subscribe = lambda *_: ready.set()

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        _root, _, device, kind = message.topic.split("/")[:4]
        watch.stop("ack" if kind == "ack" else "sink", device)

    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(10)
    return client


@contextmanager
def _hook(watch: Stopwatch) -> Iterator[int]:
    """Where notifications arrive."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            for device in re.findall(r"alarm-\d+", body):
                watch.stop("alert", device)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    thread = threading.Thread(target=server.serve_forever, name="hook")
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_TOML = """
[vitals]
enabled = false
[[rules]]
name = "hot"
kind = "threshold"
series = "temperature"
value = 90.0
[[notify]]
url = "json://127.0.0.1:{hook}/"
[[sinks]]
plugin = "mqtt"
port = {port}
topic_root = "sunk/v1"
await_ack = false
"""
