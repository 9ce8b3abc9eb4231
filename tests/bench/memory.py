"""A gateway's memory while every sink is dead and an hour of readings arrives.

``python -m tests.bench.memory [--devices N] [--seconds-a-batch N] [--rounds N]``: 10,000 devices of 10
series at 1 Hz, an hour of it (360 million readings), sent as fast as the gateway acknowledges
(``tests/bench/fleet.py``). cloud-sync never runs, and three sinks are ports where nobody listens, so the
journal only grows. 100 readings a batch are the worst case: the ring of newest batches reaches its bound
of batches and that of rows at once.

Prints ten times what the kernel counts as the gateway's own memory (anonymous pages: heaps, stacks,
arenas; not the program's files, which any process shares), beside all that is resident. Needs some 5 GB
of disk for the journal, below ``TMPDIR``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from headrace.limits.sizes import GIB
from tests.bench.fleet import SERIES
from tests.bench.meter import anonymous_mb, usage
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port
from tests.servers.mosquitto import mosquitto

#: An hour of 10 s a batch.
ROUNDS = 360
SECONDS_A_BATCH = 10
POINTS = 10


@dataclass
class Sample:
    """Readings that are acknowledged, megabytes, and CPU seconds of the gateway so far."""

    readings: int
    own_mb: float
    rss_mb: float
    journal_mb: float
    cpu_s: float
    seconds: float

    def row(self) -> str:
        """A line of the table."""
        return (
            f"| {self.readings:,} | {self.own_mb:.0f} | {self.rss_mb:.0f} | {self.journal_mb:,.0f} | "
            f"{self.cpu_s:.0f} | {self.seconds:.0f} |"
        )


HEADER = "| readings | own MB | resident MB | journal MB | CPU s | s |\n|---|---|---|---|---|---|"


def dead_sinks() -> str:
    """Destinations at a port where nobody listens; one of them holds the journal."""
    port = free_port()
    return f"""
[[sinks]]
plugin = "influxdb"
api = "v1"
database = "x"
url = "http://127.0.0.1:{port}"
required = true
[[sinks]]
plugin = "webhook"
url = "http://127.0.0.1:{port}"
[[sinks]]
plugin = "mqtt"
port = {port}
"""


def run(
    folder: Path, *, devices: int, rounds: int, seconds: int = SECONDS_A_BATCH, points: int = POINTS
) -> Iterator[Sample]:
    """``points`` samples on the way."""
    programs = Programs(folder)
    try:
        with mosquitto(folder, persistence=False) as broker:
            gateway = make_gateway(
                programs, kind="external", mqtt_port=broker.port, extra=[dead_sinks()],
                console=True, journal=f"max_bytes = {200 * GIB}",
            )  # fmt: skip
            gateway.start()
            gateway.wait_ready()
            numbers = map(str, (broker.port, devices, seconds, rounds))
            with subprocess.Popen(
                [sys.executable, "-m", "tests.bench.fleet", *numbers],
                stdout=subprocess.PIPE, text=True,
            ) as fleet:  # fmt: skip
                try:
                    yield from _samples(
                        gateway, fleet, devices * seconds * SERIES * rounds // points
                    )
                finally:
                    fleet.kill()
    finally:
        programs.close()


def _samples(gateway: Gateway, fleet: subprocess.Popen[str], step: int) -> Iterator[Sample]:
    assert gateway.program.process is not None
    assert fleet.stdout is not None
    pid, started, due = gateway.program.process.pid, time.perf_counter(), step
    for line in fleet.stdout:
        if int(line) >= due:
            due += step
            used = usage(pid)
            size = sum(each.stat().st_size for each in gateway.data.glob("journal.db*")) / 1e6
            yield Sample(
                int(line), anonymous_mb(pid), used.rss_mb, size, used.cpu_s,
                time.perf_counter() - started,
            )  # fmt: skip


@click.command()
@click.option("--devices", default=10_000, show_default=True)
@click.option("--seconds-a-batch", default=SECONDS_A_BATCH, show_default=True)
@click.option("--rounds", default=ROUNDS, show_default=True, help="Batches of each device.")
def main(devices: int, seconds_a_batch: int, rounds: int) -> None:
    """Print memory at ten points."""
    print(
        f"{devices:,} devices, {devices * SERIES:,} series, {seconds_a_batch * SERIES} readings a "
        f"batch, all sinks dead\n\n{HEADER}"
    )
    with tempfile.TemporaryDirectory(prefix="headrace-memory-") as folder:
        for sample in run(Path(folder), devices=devices, rounds=rounds, seconds=seconds_a_batch):
            print(sample.row(), flush=True)


if __name__ == "__main__":
    main()
