"""Which programs the demo runs, and the configuration files that it writes for them."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.errors import UsageError

SITE: Final = "demo"
HOST_DEVICE: Final = "host"
PUMPS: Final = ("pump-1", "pump-2", "pump-3")
FAULTY: Final = "pump-3"
FAULT: Final = "bearing_wear"
FAULT_AFTER_S: Final = 20.0
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Program:
    """One process of the demo."""

    name: str
    argv: tuple[str, ...]
    log: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """All processes, and where they meet."""

    data: Path
    gateway: Program
    agents: tuple[Program, ...]
    cloud_sync: Program
    http_port: int
    fault_after_s: float

    @property
    def page(self) -> str:
        return f"http://{LOOPBACK}:{self.http_port}/"

    @property
    def devices(self) -> tuple[str, ...]:
        return (HOST_DEVICE, *PUMPS)

    def buffer(self, device: str) -> Path:
        """The buffer file of one agent."""
        return self.data / "agents" / device / "buffer.db"


def make_plan(data: Path, seconds: float | None) -> Plan:
    """Write the configuration files below ``data`` and say what is to be run."""
    make_folders(data, "agents", "logs")
    mqtt_port = port_near(1883)
    http_port = port_near(8080, besides=mqtt_port)
    fault_after_s = FAULT_AFTER_S if seconds is None else min(FAULT_AFTER_S, seconds / 3)
    write(data / "gateway.toml", gateway_toml(data, mqtt_port, http_port))
    write(data / "cloud_sync.toml", cloud_sync_toml(data))
    write(data / "agents" / f"{HOST_DEVICE}.toml", agent_toml(data, HOST_DEVICE, mqtt_port, HOST))
    for number, pump in enumerate(PUMPS, start=1):
        fault = FAULT if pump == FAULTY else "none"
        table = PUMP.format(seed=number, fault=fault, fault_after_s=fault_after_s)
        write(data / "agents" / f"{pump}.toml", agent_toml(data, pump, mqtt_port, table))
    return Plan(
        data=data,
        gateway=_program(data, "gateway", "gateway", data / "gateway.toml"),
        agents=tuple(
            _program(data, device, "edge_agent", data / "agents" / f"{device}.toml")
            for device in (HOST_DEVICE, *PUMPS)
        ),
        cloud_sync=_program(data, "cloud-sync", "cloud_sync", data / "cloud_sync.toml"),
        http_port=http_port,
        fault_after_s=fault_after_s,
    )


def _program(data: Path, name: str, module: str, config: Path) -> Program:
    argv = (sys.executable, "-m", module, "run", "--config", str(config))
    return Program(name, argv, data / "logs" / f"{name}.log")


def make_folders(data: Path, *names: str) -> None:
    """Make folders below the data folder.

    Raises:
        UsageError: they cannot be made there.
    """
    try:
        for name in names:
            (data / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{data} cannot be written to: {error.strerror}", hint="name another folder with --data"
        ) from error


def write(path: Path, text: str) -> None:
    """Write one configuration file."""
    path.write_text(text, encoding="utf-8")


def port_near(wanted: int, besides: int = 0) -> int:
    """``wanted`` if it is free on this machine, otherwise any other."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    return port if port != besides else port_near(0)


def gateway_toml(data: Path, mqtt_port: int, http_port: int) -> str:
    """The gateway: embedded broker, the shipped pump model, two rules."""
    return f"""# Written by `headrace demo`; each run writes it again.
site = "{SITE}"
data_dir = "{data / "gateway"}"

[broker]
kind = "embedded"
host = "{LOOPBACK}"
port = {mqtt_port}

[http]
port = {http_port}

[[models]]
name = "pump"
device = "pump-*"

[[rules]]
name = "pump-anomaly"
kind = "score"
model = "pump"
for_s = 2
keep_firing_for_s = 10
severity = "critical"
summary = "{{device}} does not run like a healthy pump: score {{value:.1f}}, normal is below {{threshold:.1f}}"

[[rules]]
name = "vibration-high"
kind = "threshold"
device = "pump-*"
series = "vibration"
op = ">"
value = 3.0
for_s = 5
severity = "warning"

[[rules]]
name = "silent"
kind = "silence"
for_s = 15
severity = "critical"
"""


def cloud_sync_toml(data: Path) -> str:
    """cloud_sync: into a folder, every few seconds, so that there is something to see."""
    return f"""# Written by `headrace demo`; each run writes it again.
[journal]
path = "{data / "gateway" / "journal.db"}"

[lake]
uri = "{data / "lake"}"

[landing]
interval_s = 5

[register]
interval_s = 5
"""


def agent_toml(data: Path, device: str, mqtt_port: int, inputs: str) -> str:
    """One agent."""
    return f"""# Written by `headrace demo`; each run writes it again.
device = "{device}"

[buffer]
path = "{data / "agents" / device / "buffer.db"}"

[uplink]
host = "{LOOPBACK}"
port = {mqtt_port}
state_interval_s = 2

{inputs}"""


HOST: Final = """[[inputs]]
plugin = "host"
interval_s = 1.0
"""

PUMP: Final = """[[inputs]]
plugin = "simulated"
rate_hz = 5.0
seed = {seed}
fault = "{fault}"
fault_after_s = {fault_after_s}
"""
