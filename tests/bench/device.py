"""What the agent costs a device: memory, CPU and bytes written at 1 Hz, and the time of --help."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from headrace.buffer_stats import read_buffer_stats
from tests.bench.meter import Usage, difference, usage
from tests.programs import Programs
from tests.servers import wait_until
from tests.servers.mosquitto import mosquitto

_WARM_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class DeviceResult:
    """An agent on host metrics at 1 Hz."""

    seconds: float
    readings: int
    used: Usage
    help_s: float


def run_device(folder: Path, seconds: float) -> DeviceResult:
    """Run an agent beside a broker without a gateway: everything stays in the buffer."""
    with mosquitto(folder) as broker:
        programs = Programs(folder)
        agent = programs.make("edge_agent", _toml(folder, broker.port))
        agent.start()
        try:
            buffer = folder / "agent.db"
            wait_until(buffer.exists, 10, "the agent is up")
            assert agent.process is not None
            # What a start costs (the log is made in full size) is not what a day costs.
            threading.Event().wait(_WARM_UP_S)
            before, already = usage(agent.process.pid), read_buffer_stats(buffer).sampled
            threading.Event().wait(seconds)
            used = difference(usage(agent.process.pid), before)
            sampled = read_buffer_stats(buffer).sampled - already
        finally:
            programs.close()
    return DeviceResult(seconds, sampled, used, min(_help_s() for _ in range(5)))


def _help_s() -> float:
    command = str(Path(sys.executable).with_name("edge-agent"))
    started = time.perf_counter()
    subprocess.run([command, "--help"], check=True, capture_output=True)
    return time.perf_counter() - started


def _toml(folder: Path, port: int) -> str:
    return f"""
device = "bench"
[buffer]
path = "{folder / "agent.db"}"
[uplink]
port = {port}
[[inputs]]
plugin = "host"
interval_s = 1.0
"""
