"""A site that has seen something: an outage, an alert, a hole, a refusal, a sink that is away.

Everything goes the whole way: agents over MQTT to a gateway with its sink, and from there into a real
InfluxDB. What happened is what the dashboards have to show.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.batches import payload
from tests.devices import Device
from tests.programs import Program, Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.influxdb import InfluxDB, influxdb

DATABASE = "iot"
PUMPS = ("pump-1", "pump-2", "pump-3")
OUT = "pump-2"
FAULTY = "pump-3"
SENSOR = "sensor-9"
MISSING = 10

_GATEWAY = """
[vitals]
interval_s = 1
[[models]]
name = "pump"
device = "pump-*"
[[rules]]
name = "anomaly"
kind = "score"
model = "pump"
severity = "critical"
keep_firing_for_s = 600
[[rules]]
name = "silent"
kind = "silence"
device = "pump-*"
for_s = {silent_s}
severity = "warning"
[[sinks]]
plugin = "influxdb"
api = "v1"
url = "{url}"
database = "iot"
[[sinks]]
plugin = "influxdb"
name = "away"
api = "v1"
url = "http://127.0.0.1:{nowhere}"
database = "iot"
"""

_AGENT = """
device = "{device}"
[buffer]
path = "{folder}/{device}.db"
[uplink]
port = {port}
state_interval_s = 1
[[inputs]]
plugin = "simulated"
rate_hz = 5.0
seed = {seed}
fault = "{fault}"
fault_after_s = {fault_after_s}
fault_ramp_s = 1.0
"""


@dataclass(frozen=True, slots=True)
class Site:
    """Where it can be asked, and from when to when there is something to see."""

    influx: InfluxDB
    start_ms: int
    end_ms: int
    folder: Path


@contextmanager
def site(folder: Path, *, quiet_s: float = 3.0, silent_s: float = 3.0) -> Iterator[Site]:
    """Run it, end it, and leave its InfluxDB up; ``quiet_s`` of calm around the events."""
    with influxdb(folder / "influxdb") as influx:
        influx.query(f"CREATE DATABASE {DATABASE}")
        programs = Programs(folder)
        start_ms = now_ms()
        try:
            _live(programs, influx, quiet_s, silent_s)
            yield Site(influx, start_ms, now_ms(), folder)
        finally:
            programs.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _live(programs: Programs, influx: InfluxDB, quiet_s: float, silent_s: float) -> None:
    settings = _GATEWAY.format(url=influx.url, nowhere=free_port(), silent_s=silent_s)
    gateway = make_gateway(programs, extra=[settings])
    gateway.start()
    gateway.wait_ready()
    agents = {
        device: _agent(programs, device, number, gateway.mqtt_port, quiet_s)
        for number, device in enumerate(PUMPS, start=1)
    }
    for agent in agents.values():
        agent.start()
    _sensor(gateway.mqtt_port)
    _wait(influx, f"SELECT count(value) FROM readings WHERE device='{OUT}' AND \"name\"='flow'", 5 * quiet_s, 30)  # fmt: skip
    assert agents[OUT].stop() == 0
    firing = "SELECT last(value) FROM readings WHERE \"name\"='gateway/firing/warning/silent'"
    _wait(influx, firing, 1, 30)
    agents[OUT].start()
    wait_until(lambda: _number(influx, firing) == 0, 30, "the silence is over")
    _wait(influx, "SELECT last(value) FROM readings WHERE \"name\"='gateway/firing/critical/anomaly'", 1, 30)  # fmt: skip
    looks = "SELECT count(value) FROM readings WHERE \"name\"='gateway/broker_connected'"
    _wait(influx, looks, _number(influx, looks) + quiet_s, 60)


def _agent(programs: Programs, device: str, seed: int, port: int, fault_after_s: float) -> Program:
    fault = "bearing_wear" if device == FAULTY else "none"
    config = _AGENT.format(
        device=device, folder=programs.folder, port=port, seed=seed, fault=fault,
        fault_after_s=fault_after_s,
    )  # fmt: skip
    return programs.make("edge_agent", config, name=device)


def _sensor(port: int) -> None:
    """A device of somebody else: leaves a hole, sends one batch twice, and one that is broken."""
    sensor = Device(SENSOR, port)
    stream = "ab" * 8
    sensor.publish(payload(stream, 1, 20))
    sensor.publish(payload(stream, 1, 20))
    sensor.publish(payload(stream, 21 + MISSING, 20))
    sensor.publish(b"rubbish")
    # What comes twice in one group is acknowledged once.
    wait_until(lambda: sensor.acked >= 40 and sensor.nacks, 20, "all of it was answered")
    sensor.close()


def _wait(influx: InfluxDB, statement: str, least: float, deadline_s: float) -> None:
    wait_until(lambda: _number(influx, statement) >= least, deadline_s, statement)


def _number(influx: InfluxDB, statement: str) -> float:
    rows = influx.query(statement, DATABASE)
    return float(rows[0][1]) if rows else 0.0
