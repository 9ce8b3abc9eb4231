"""A gateway's memory while every sink is dead: ``python -m tests.bench.memory [--devices N] [--rounds N]``.

Devices (one MQTT connection stands for all of them) send a batch of 10 series each, round after round, at
the pace at which the gateway acknowledges. cloud-sync never runs and InfluxDB is a port where nobody
listens, so the journal only grows. Prints the gateway's resident memory and the journal's size.
"""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import click
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from headrace.codecs import arrow
from tests.bench.meter import usage
from tests.journals import batch
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port
from tests.servers.mosquitto import mosquitto

SERIES = 10
ROWS = 20
WINDOW = 500


@dataclass
class Sample:
    """After a round: readings so far, and megabytes."""

    readings: int
    rss_mb: float
    journal_mb: float
    seconds: float


class Fleet:
    """Publishes for many devices; waits for the gateway's acks, not the broker's."""

    def __init__(self, port: int, devices: int) -> None:
        self._devices = devices
        self._free = threading.Semaphore(WINDOW)
        self._seqs = 1
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="fleet")
        self._client.max_inflight_messages_set(WINDOW)
        self._client.on_message = lambda *_: self._free.release()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("headrace/v1/+/ack")
        self._client.loop_start()

    def send_round(self) -> int:
        """One batch a device; the readings that are on disk then."""
        now = time.time_ns() // 1_000
        for number in range(self._devices):
            names = [f"series-{number % 97}-{at % SERIES}" for at in range(ROWS)]
            times = [now + at for at in range(ROWS)]
            rows = batch(names, times, [float(at) for at in range(ROWS)])
            payload = arrow.encode(rows, stream=f"{number:016x}", first_seq=self._seqs)
            assert self._free.acquire(timeout=60), "no ack for a minute"
            self._client.publish(f"headrace/v1/device-{number}/data/arrow", payload, qos=1)
        self._seqs += ROWS
        for _ in range(WINDOW):
            assert self._free.acquire(timeout=60), "no ack for a minute"
        for _ in range(WINDOW):
            self._free.release()
        return self._devices * ROWS

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def dead_sink() -> str:
    """InfluxDB at a port where nobody listens."""
    return f"""
[[sinks]]
plugin = "influxdb"
api = "v1"
database = "x"
url = "http://127.0.0.1:{free_port()}"
required = true
"""


def run(folder: Path, devices: int, rounds: int) -> list[Sample]:
    """A sample after each round."""
    programs = Programs(folder)
    try:
        with mosquitto(folder, persistence=False) as broker:
            gateway = make_gateway(
                programs, kind="external", mqtt_port=broker.port, extra=[dead_sink()], console=True
            )
            gateway.start()
            gateway.wait_ready()
            fleet = Fleet(broker.port, devices)
            samples = list(_samples(gateway, fleet, rounds))
            fleet.close()
            return samples
    finally:
        programs.close()


def _samples(gateway: Gateway, fleet: Fleet, rounds: int) -> list[Sample]:
    assert gateway.program.process is not None
    pid, readings, started = gateway.program.process.pid, 0, time.perf_counter()
    found = []
    for _ in range(rounds):
        readings += fleet.send_round()
        gateway.get("metrics")
        size = sum(each.stat().st_size for each in gateway.data.glob("journal.db*")) / 1e6
        found.append(Sample(readings, usage(pid).rss_mb, size, time.perf_counter() - started))
        print(f"| {readings:,} | {found[-1].rss_mb:.0f} | {size:.0f} | {found[-1].seconds:.0f} |", flush=True)  # fmt: skip
    return found


@click.command()
@click.option("--devices", default=10_000, show_default=True)
@click.option("--rounds", default=20, show_default=True)
def main(devices: int, rounds: int) -> None:
    """Print memory after each round."""
    print(f"{devices:,} devices, {devices * SERIES:,} series, all sinks dead\n")
    print("| readings | resident MB | journal MB | s |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="headrace-memory-") as folder:
        run(Path(folder), devices, rounds)


if __name__ == "__main__":
    main()
