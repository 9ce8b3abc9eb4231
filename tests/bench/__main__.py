"""``make bench``: measures each way through the system and prints tables in Markdown.

``make bench ARGS="--only http"`` for some; ``--quick`` for a look (a tenth of the work).
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from tests.bench.asking import print_questions
from tests.bench.computing import print_rollups
from tests.bench.device import DeviceResult, run_device
from tests.bench.http import HttpResult, run_http
from tests.bench.lake import printed as lake
from tests.bench.lake_make import SERIES, make
from tests.bench.latency import LatencyResult, run_latency
from tests.bench.memory import HEADER, ROUNDS
from tests.bench.memory import run as run_memory
from tests.bench.messages import MessagesResult, run_messages
from tests.bench.meter import Usage
from tests.bench.path import PathResult, run_path

Run = Callable[[Path, float], None]


@click.command()
@click.option("--quick", is_flag=True, help="A tenth of the work: for a look, not for a figure.")
@click.option("--only", default="", help="Runs whose title contains this.")
@click.option("--list", "titles", is_flag=True, help="Print the titles and end.")
def main(quick: bool, only: str, titles: bool) -> None:
    """Measure everything, or some of it."""
    if titles:
        print("\n".join(RUNS))
        return
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    for title, run in RUNS.items():
        if only in title:
            print(f"### {title}\n", flush=True)
            with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
                run(Path(folder), 0.1 if quick else 1.0)


def _path(readings: int, *, agents: int, rows: int = 10_000, embedded: bool = False) -> Run:
    def run(folder: Path, share: float) -> None:
        scaled = round(readings * share)
        print_path(run_path(folder, readings=scaled, agents=agents, rows=rows, embedded=embedded))

    return run


def _messages(folder: Path, share: float) -> None:
    print_messages(run_messages(folder, devices=1_000, each=round(800 * share), window=20))


def _http(folder: Path, share: float) -> None:
    print_http(run_http(folder, requests=round(2_000 * share), per_request=5_000))


def _latency(folder: Path, share: float) -> None:
    print_latency(run_latency(folder, 60 * share))


def _memory(folder: Path, share: float) -> None:
    # A sixth of the hour that `python -m tests.bench.memory` takes: it is flat long before.
    print(HEADER)
    for sample in run_memory(folder, devices=10_000, rounds=max(10, round(ROUNDS / 6 * share))):
        print(sample.row(), flush=True)
    print()


def _device(folder: Path, share: float) -> None:
    print_device(run_device(folder, 60 * share))


def _landing(*, on_s3: bool) -> Run:
    return lambda folder, share: lake.landing(folder, share, on_s3=on_s3)


def _merging(folder: Path, share: float) -> None:
    lake.merging(folder, round(160 * share))


def _commits(folder: Path, share: float) -> None:
    lake.commits(folder, round(10_000 * share))


def _asking(readings: int) -> Run:
    def run(folder: Path, share: float) -> None:
        made = make(folder, round(readings * share))
        print(
            f"{made.readings:,} readings of {SERIES:,} series in {made.files} files, "
            f"{made.bytes / 1e6:,.0f} MB, made in {made.cpu_s:.0f} s of CPU\n"
        )
        print_questions(folder)

    return run


def _computing(folder: Path, share: float) -> None:
    print_rollups(folder, share)


RUNS: dict[str, Run] = {
    "path: 4 agents, mosquitto, as the agents choose": _path(48_000_000, agents=4),
    "path: 1 agent, mosquitto, as the agent chooses": _path(32_000_000, agents=1),
    "path: 4 agents, mosquitto, 1,000 a batch": _path(16_000_000, agents=4, rows=1_000),
    "path: 4 agents, embedded amqtt, as the agents choose": _path(
        32_000_000, agents=4, embedded=True
    ),
    "path: 4 agents, embedded amqtt, 1,000 a batch": _path(
        8_000_000, agents=4, rows=1_000, embedded=True
    ),
    "growth: 8 million": _path(8_000_000, agents=4),
    "growth: 32 million": _path(32_000_000, agents=4),
    "growth: 128 million": _path(128_000_000, agents=4),
    "messages: 1,000 devices, one reading a message, mosquitto": _messages,
    "http: line protocol, gzip, 5,000 lines a request": _http,
    "latency: at 100,000 readings/s": _latency,
    "memory: 10,000 devices, 100,000 series, sinks dead": _memory,
    "device: host metrics at 1 Hz": _device,
    "asking: 10 million readings": _asking(10_000_000),
    "asking: 100 million readings": _asking(100_000_000),
    "asking: 1 billion readings": _asking(1_000_000_000),
    "computing: rollups of three sizes": _computing,
    "lake: journal to table, a folder": _landing(on_s3=False),
    "lake: journal to table, S3 (SeaweedFS)": _landing(on_s3=True),
    "lake: bytes per reading": lake.sizes,
    "lake: bytes per reading on the running day": lake.running_day,
    "lake: compaction of a day of 16 million": _merging,
    "lake: 10,000 commits with maintenance on": _commits,
}


def print_path(result: PathResult) -> None:
    print(
        f"{result.readings:,} readings, {result.rows_per_batch:,.0f} a message: "
        f"**{result.readings_per_s:,.0f} readings/s** landed "
        f"({result.seconds:.2f} s; registered after {result.registered_seconds:.2f} s), "
        f"{result.lost} lost. Into the buffers before that: "
        f"{result.fill_readings_per_s:,.0f} readings/s.\n"
    )
    _print_processes(result.processes, result.readings, "CPU s per million readings", 1e6)
    print(
        f"Bytes per reading: {result.bytes_buffer:.2f} in the buffer, {result.bytes_journal:.2f} "
        f"on the wire and in the journal, {result.bytes_lake:.2f} in the lake.\n",
        flush=True,
    )


def print_messages(result: MessagesResult) -> None:
    print(
        f"{result.messages:,} messages of {result.devices:,} devices: "
        f"**{result.messages / result.seconds:,.0f} messages/s** acknowledged, {result.lost} lost. "
        f"From publish to ack, windows full: p50 {result.p50_ms:.0f} ms, p99 {result.p99_ms:.0f} ms.\n"
    )
    _print_processes(result.processes, result.messages, "CPU us per message", 1.0)


def print_http(result: HttpResult) -> None:
    print(
        f"{result.readings:,} readings: **{result.readings_per_s:,.0f} readings/s** answered with 204, "
        f"{result.readings - result.journalled} lost. "
        f"Request p50 {result.p50_ms:.0f} ms, p99 {result.p99_ms:.0f} ms. CPU us per reading: gateway "
        f"{result.gateway_us_per_reading:.2f}, client {result.client_us_per_reading:.2f}. Peak memory of "
        f"the gateway {result.gateway.peak_mb:.0f} MB.\n",
        flush=True,
    )


def print_latency(result: LatencyResult) -> None:
    print(
        f"{result.published} single readings beside {result.readings_per_s:,.0f} readings/s; the gateway "
        f"took {100 * result.gateway.cpu_s / result.elapsed_s:.0f} % of a core.\n"
    )
    print("| from publish to | p50 ms | p99 ms | longest ms |\n|---|---|---|---|")
    for step, seconds in result.seconds.items():
        found = [1_000 * seconds[len(seconds) * share // 100] for share in (50, 99)]
        print(f"| {step} | {found[0]:.0f} | {found[1]:.0f} | {1_000 * seconds[-1]:.0f} |")
    print(flush=True)


def print_device(result: DeviceResult) -> None:
    print(
        f"{result.seconds:.0f} s ({result.readings} readings): "
        f"{result.used.rss_mb:.1f} MB resident (peak {result.used.peak_mb:.1f}), "
        f"{100 * result.used.cpu_s / result.seconds:.1f} % of a core, "
        f"{result.used.written_bytes / max(1, result.readings):.0f} bytes written to disk per reading; "
        f"`edge-agent --help` {result.help_s:.2f} s."
    )


def _print_processes(processes: dict[str, Usage], count: int, unit: str, per: float) -> None:
    """One line a process; agents together."""
    scale = per / count if per > 1 else 1e6 / count
    print(f"| process | {unit} | peak memory MB |\n|---|---|---|")
    agents = [used for name, used in processes.items() if name.startswith("agent")]
    rows = {name: used for name, used in processes.items() if not name.startswith("agent")}
    for name, used in rows.items():
        print(f"| {name} | {used.cpu_s * scale:.3f} | {used.peak_mb:.0f} |")
    if agents:
        peak = max(used.peak_mb for used in agents)
        cpu = sum(used.cpu_s for used in agents)
        print(
            f"| {len(agents)} agents, their start included | {cpu * scale:.3f} | {peak:.0f} each |"
        )
    total = sum(used.cpu_s for used in processes.values())
    print(f"| all | {total * scale:.3f} | |\n", flush=True)


if __name__ == "__main__":
    main()
