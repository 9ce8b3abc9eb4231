"""The broker is swapped under devices that go on sampling: amqtt, mosquitto, and amqtt again.

The commands are those of docs/gateway.md, line by line; ``systemctl`` starts and stops the test's own
processes. Agents keep their configuration: both brokers have the same port. At the end the lake holds
what was sampled, once each, by (device, stream, seq); and what HTTP has answered with 204, by value.
"""

from __future__ import annotations

import http.client
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headrace.buffer_stats import BufferStats, read_buffer_stats
from headrace.journal import JournalReader
from headrace.lake.config import Lake
from headrace.query.engine import Engine
from headrace.query.sources import collect
from tests.devices import Device
from tests.http_ingest import Site, make_site
from tests.programs import Program, Programs
from tests.servers import wait_until
from tests.servers.mosquitto import EXECUTABLE, MosquittoProgram

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
AGENTS = ("pump-1", "pump-2", "pump-3")
RATE_HZ = 25.0
#: At this rate an agent samples one step, and no other while the test lasts.
_STANDSTILL_HZ = 1e-6

Service = Callable[[], object]


def commands(kind: str) -> list[str]:
    """The lines of the page that swap to this kind of broker."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    (found,) = [block.splitlines() for block in blocks if f'/kind = "{kind}"/' in block]
    return found


def follow(kind: str, config: Path, services: Mapping[tuple[str, str], Service]) -> None:
    """Do what the page says, with the gateway's configuration at ``config``."""
    for line in commands(kind):
        words = shlex.split(line.replace("/etc/headrace/gateway.toml", str(config)))
        if words[0] == "systemctl":
            for name in words[2:]:
                services[words[1], name]()
            continue
        program = [sys.executable, "-m", "gateway"] if words[0] == "gateway" else words[:1]
        done = subprocess.run([*program, *words[1:]], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert f'kind = "{kind}"' in config.read_text(encoding="utf-8")


def agent_config(device: str, folder: Path, port: int, rate_hz: float) -> str:
    return f"""
device = "{device}"
[buffer]
path = "{folder / device}.db"
loss_window_s = 0.2
[uplink]
port = {port}
ack_timeout_s = 3
[[inputs]]
plugin = "simulated"
rate_hz = {rate_hz}
"""


@dataclass
class Writer:
    """A client that repeats each request under its key until it is answered with 204."""

    site: Site
    token: str
    answered: list[int] = field(default_factory=list)
    repeated: int = 0

    def __post_init__(self) -> None:
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Until what is on its way has been answered."""
        self._enough.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        number = 0
        while not self._enough.is_set():
            while not self._send(number):
                self.repeated += 1
                self._enough.wait(0.1)
            self.answered.append(number)
            number += 1

    def _send(self, number: int) -> bool:
        body = f"tank level={number} {1_790_000_000 + number}".encode()
        try:
            answer = self.site.write(
                self.token, body, "/write?precision=s", Idempotency_Key=str(number)
            )
        except (OSError, http.client.HTTPException):
            return False
        return answer.status == 204


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
@pytest.mark.parametrize("killed", [False, True], ids=["as the page says", "killed amid it"])
def test_a_swap_of_the_broker_and_back_loses_and_doubles_nothing(
    programs: Programs, tmp_path: Path, killed: bool, request: pytest.FixtureRequest
) -> None:
    """Embedded, mosquitto, embedded, while agents sample and a client writes by HTTP."""
    site = make_site(programs, console=False)
    gateway = site.gateway
    broker = MosquittoProgram(tmp_path, gateway.mqtt_port)
    request.addfinalizer(broker.close)
    cloud = programs.make("cloud_sync", cloud_config(tmp_path, gateway.journal))
    agents = [make_agent(programs, each, tmp_path, gateway.mqtt_port) for each in AGENTS]
    site.start()
    cloud.start()
    for agent in agents:
        agent.start()
    writer = Writer(site, site.token("tank"))
    services = {
        ("stop", "gateway"): gateway.program.kill if killed else gateway.program.stop,
        ("start", "gateway"): (lambda: start_and_kill(site)) if killed else site.start,
        ("stop", "mosquitto"): broker.stop,
        ("start", "mosquitto"): broker.start,
    }
    wait_flows(tmp_path, writer)
    for kind in ("external", "embedded"):
        follow(kind, gateway.program.config, services)
        assert broker.running == (kind == "external")
        wait_flows(tmp_path, writer)
    writer.finish()
    sampled = stand_still(agents, tmp_path, gateway.mqtt_port)
    assert gateway.program.stop() == 0
    assert cloud.stop() == 0
    print(f"{sum(sampled.values()):,} sampled, {len(writer.answered):,} requests, "
          f"{writer.repeated} repeated, {gateway.program.kills} kills")  # fmt: skip
    compare(tmp_path, gateway.journal, sampled, writer.answered)


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_what_mosquitto_held_at_the_swap_comes_when_it_is_used_again(
    programs: Programs, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A sender that trusts a PUBACK alone: mosquitto has its reading, and no gateway at that time."""
    site = make_site(programs, console=False)
    broker = MosquittoProgram(tmp_path, site.gateway.mqtt_port)
    request.addfinalizer(broker.close)
    services = {
        ("stop", "gateway"): site.gateway.program.stop,
        ("start", "gateway"): site.start,
        ("stop", "mosquitto"): broker.stop,
        ("start", "mosquitto"): broker.start,
    }
    config = site.gateway.program.config
    site.start()
    follow("external", config, services)
    site.gateway.wait_ready()
    site.gateway.program.stop()
    device = Device("trusting", broker.port)
    device.publish(b'[{"n": "level", "v": 1.5}]', "senml-json")
    device.close()
    follow("embedded", config, services)
    site.gateway.wait_ready()
    assert site.readings() == []
    follow("external", config, services)
    wait_until(site.readings, 30, "it has come")
    assert [(who, name, value) for who, name, _, value in site.readings()] == [
        ("trusting", "level", 1.5)
    ]


def start_and_kill(site: Site) -> None:
    """Up, killed while all devices come in at once, and up again."""
    site.start()
    site.gateway.program.kill()
    site.start()


def cloud_config(folder: Path, journal: Path) -> str:
    return f"""
[journal]
path = "{journal}"
[lake]
uri = "{folder / "lake"}"
[landing]
interval_s = 1
[register]
interval_s = 1
"""


def make_agent(programs: Programs, device: str, folder: Path, port: int) -> Program:
    return programs.make("edge_agent", agent_config(device, folder, port, RATE_HZ), device)


def stats(folder: Path, device: str) -> BufferStats:
    return read_buffer_stats(folder / f"{device}.db")


def wait_flows(folder: Path, writer: Writer) -> None:
    """Until all that has been sampled and asked by now, and something after it, has been taken."""
    buffers = [folder / f"{device}.db" for device in AGENTS]
    wait_until(lambda: all(path.exists() for path in buffers), 30, "the agents have buffers")
    wanted = {device: stats(folder, device).sampled + 1 for device in AGENTS}
    requests = len(writer.answered) + 2

    def flows() -> bool:
        taken = (stats(folder, device).acknowledged >= wanted[device] for device in AGENTS)
        return len(writer.answered) >= requests and all(taken)

    wait_until(flows, 60, "readings flow")


def stand_still(agents: list[Program], folder: Path, port: int) -> dict[str, int]:
    """End sampling, have everything acknowledged; how many readings each agent has sampled."""
    before = {}
    for device, agent in zip(AGENTS, agents, strict=True):
        assert agent.stop() == 0
        before[device] = stats(folder, device).sampled
        agent.config.write_text(agent_config(device, folder, port, _STANDSTILL_HZ))
        agent.start()

    def taken(device: str) -> bool:
        # An agent begins with one step, whatever its rate; then it stands still.
        now = stats(folder, device)
        return now.sampled > before[device] and now.buffered == 0

    wait_until(lambda: all(taken(device) for device in AGENTS), 60, "all is taken")
    assert [agent.stop() for agent in agents] == [0] * len(agents)
    found = [stats(folder, device) for device in AGENTS]
    assert [(each.buffered, each.dropped) for each in found] == [(0, {})] * len(agents)
    return {each.device: each.sampled for each in found}


def compare(folder: Path, journal: Path, sampled: Mapping[str, int], answered: list[int]) -> None:
    """The lake against what agents have sampled and HTTP has answered."""
    lake = Lake(uri=str(folder / "lake"))
    with JournalReader(journal) as reader:
        assert reader.cursor("lake") == reader.head(), "cloud-sync has not landed everything"
        assert reader.quarantine_reasons() == {}
    with Engine(collect(lake, None), lake) as engine:
        counts = engine.query(
            "SELECT device, count(*), count(DISTINCT stream), count(DISTINCT seq), min(seq), "
            "max(seq) FROM readings WHERE device LIKE 'pump-%' GROUP BY 1 ORDER BY 1"
        ).read_all()
        levels = engine.query(
            "SELECT value FROM readings WHERE device = 'tank' ORDER BY value"
        ).read_all()
    expected = [(device, count, 1, count, 1, count) for device, count in sampled.items()]
    assert [tuple(row.values()) for row in counts.to_pylist()] == expected
    assert levels.column("value").to_pylist() == answered
