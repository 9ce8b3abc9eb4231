"""What the agent costs a device at 100 readings a second, connected and acknowledged.

::

    python -m tests.bench.footprint --seconds 60 --window 1

Prints memory, CPU, and bytes written a reading: as the kernel counts them for the process
(``write_bytes``) and as they were handed to it (``wchar``).
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.meter import usage
from tests.programs import Programs
from tests.servers import wait_until
from tests.servers.acking_gateway import AckingGateway, acking_gateway
from tests.servers.mosquitto import mosquitto


@dataclass(frozen=True, slots=True)
class Footprint:
    """One agent over some time."""

    readings_per_s: float
    cpu_percent: float
    rss_mb: float
    written_bytes_per_reading: float
    passed_bytes_per_reading: float


def measure(folder: Path, *, seconds: float, loss_window_s: float) -> Footprint:
    """Run an agent with a simulated pump at 12.5 Hz (eight series) beside a stand-in gateway."""
    with mosquitto(folder) as broker, acking_gateway(broker.port, keep_batches=False) as gateway:
        programs = Programs(folder)
        agent = programs.make("edge_agent", _toml(folder, broker.port, loss_window_s))
        agent.start()
        try:
            wait_until(lambda: gateway.rows() > 300, 30, "readings at the gateway")
            assert agent.process is not None
            return _watch(agent.process.pid, gateway, seconds)
        finally:
            programs.close()


def _watch(pid: int, gateway: AckingGateway, seconds: float) -> Footprint:
    before, passed, rows, started = usage(pid), _passed(pid), gateway.rows(), time.monotonic()
    threading.Event().wait(seconds)
    after, took = usage(pid), time.monotonic() - started
    readings = gateway.rows() - rows
    return Footprint(
        readings_per_s=readings / took,
        cpu_percent=100 * (after.cpu_s - before.cpu_s) / took,
        rss_mb=after.rss_mb,
        written_bytes_per_reading=(after.written_bytes - before.written_bytes) / readings,
        passed_bytes_per_reading=(_passed(pid) - passed) / readings,
    )


def _passed(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def _toml(folder: Path, port: int, loss_window_s: float) -> str:
    return f"""
device = "bench"
[buffer]
path = "{folder / "agent.db"}"
loss_window_s = {loss_window_s}
[uplink]
port = {port}
[[inputs]]
plugin = "simulated"
rate_hz = 12.5
interval_s = 0.08
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--window", type=float, default=1.0, help="loss_window_s")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-footprint-") as folder:
        found = measure(Path(folder), seconds=chosen.seconds, loss_window_s=chosen.window)
    print(
        f"{found.readings_per_s:.0f} readings/s: {found.rss_mb:.1f} MB, {found.cpu_percent:.2f} % of a "
        f"core, {found.written_bytes_per_reading:.1f} bytes written a reading "
        f"({found.passed_bytes_per_reading:.1f} passed to write)"
    )


if __name__ == "__main__":
    main()
