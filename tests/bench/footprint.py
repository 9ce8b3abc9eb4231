"""What the agent costs a device at 100 readings a second, connected and acknowledged.

::

    python -m tests.bench.footprint --seconds 60 --window 1 [--models]

Prints memory, CPU, and bytes written a reading: as the kernel counts them for the process
(``write_bytes``) and as they were handed to it (``wchar``). With ``--models`` the agent runs a model of
a signed repository on its readings (``headrace[agent-inference]``); the model's process is counted by
itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from headrace.models.store import read_slots
from tests.bench.meter import usage
from tests.model_repository import Repository
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
    model_rss_mb: float = 0.0
    model_cpu_percent: float = 0.0


def measure(
    folder: Path, *, seconds: float, loss_window_s: float, models: bool = False
) -> Footprint:
    """Run an agent with a simulated pump at 12.5 Hz (eight series) beside a stand-in gateway."""
    toml = _models_toml(folder) if models else ""
    with mosquitto(folder) as broker, acking_gateway(broker.port, keep_batches=False) as gateway:
        programs = Programs(folder)
        agent = programs.make("edge_agent", _toml(folder, broker.port, loss_window_s) + toml)
        agent.start()
        try:
            wait_until(lambda: gateway.rows() > 300, 30, "readings at the gateway")
            if models:
                wait_until(lambda: _is_good(folder), 60, "the model is active and good")
            assert agent.process is not None
            return _watch(agent.process.pid, gateway, seconds)
        finally:
            programs.close()


def _watch(pid: int, gateway: AckingGateway, seconds: float) -> Footprint:
    children = _children(pid)
    cpu_before = sum(usage(child).cpu_s for child in children)
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
        model_rss_mb=sum(usage(child).rss_mb for child in children),
        model_cpu_percent=100 * (sum(usage(child).cpu_s for child in children) - cpu_before) / took,
    )


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _is_good(folder: Path) -> bool:
    slots = read_slots(folder / "models" / "slots")
    return bool(slots) and slots[0].active == 1 and slots[0].proven


def _models_toml(folder: Path) -> str:
    """A model trained on a simulated pump, in a signed repository."""
    csv, out = folder / "normal.csv", folder / "pump"
    for words in (
        ("edge_agent", "simulate", "--rows", 2_000, "--hz", 4, csv),
        ("cloud_sync", "models", "train", "--recipe", "t2q", "--name", "pump", "--csv", csv,
         "--out", out, "--align-s", 0.08),
    ):  # fmt: skip
        subprocess.run([sys.executable, "-m", *map(str, words)], check=True, capture_output=True)
    repository = Repository(folder / "cloud")
    repository.publish_folder(out, "all")
    return f"""
[models]
source = "{repository.folder}"
root = "{repository.root}"
folder = "{folder / "models"}"
poll_interval_s = 3600
shadow_s = 2
probation_s = 2
[models.gates]
max_alert_rate_alone = 1.0
"""


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
    parser.add_argument("--models", action="store_true", help="run a model on the readings")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-footprint-") as folder:
        found = measure(
            Path(folder), seconds=chosen.seconds, loss_window_s=chosen.window, models=chosen.models
        )
    print(
        f"{found.readings_per_s:.0f} readings/s: {found.rss_mb:.1f} MB, {found.cpu_percent:.2f} % of a "
        f"core, {found.written_bytes_per_reading:.1f} bytes written a reading "
        f"({found.passed_bytes_per_reading:.1f} passed to write)"
    )
    if chosen.models:
        print(
            f"beside it the model's process: {found.model_rss_mb:.1f} MB, "
            f"{found.model_cpu_percent:.2f} % of a core"
        )


if __name__ == "__main__":
    main()
