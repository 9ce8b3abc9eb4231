"""``make bench``: measures the whole path and prints tables in Markdown."""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path

import click

from tests.bench.device import DeviceResult, run_device
from tests.bench.path import PathResult, run_path


@click.command()
@click.option("--readings", default=16_000_000, show_default=True, help="Readings of each run.")
@click.option("--quick", is_flag=True, help="A tenth of the readings, and the first run only.")
@click.option("--device-seconds", default=30.0, show_default=True, help="Length of the device run.")
@click.option("--only", default="", help="Runs whose title contains this.")
def main(readings: int, quick: bool, device_seconds: float, only: str) -> None:
    """Measure from agent buffer to registered lake, and the agent on a device."""
    runs = [
        ("mosquitto, as the agent chooses", {"agents": 1, "rows": 10_000}),
        ("mosquitto, 4 agents", {"agents": 4, "rows": 10_000}),
        ("embedded amqtt, as the agent chooses", {"agents": 1, "rows": 10_000, "embedded": True}),
    ]
    if quick:
        readings, runs = readings // 10, runs[:1]
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    results = []
    for title, options in runs:
        if only in title:
            with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
                results.append(run_path(title, Path(folder), readings=readings, **options))  # type: ignore[arg-type]
            print_path(results[-1])
    if not only:
        with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
            print_device(run_device(Path(folder), device_seconds))


def print_path(result: PathResult) -> None:
    millions = result.readings / 1e6
    print(f"### {result.title}\n")
    print(
        f"{result.readings:,} readings in {result.seconds:.2f} s: "
        f"**{result.readings_per_s:,.0f} readings/s** from buffer to registered lake, "
        f"{result.rows_per_batch:,.0f} readings a message, {result.lost} lost. "
        f"Into the buffer before that: {result.fill_readings_per_s:,.0f} readings/s.\n"
    )
    print("| process | CPU s per million readings | peak memory MB |\n|---|---|---|")
    for name, used in result.processes.items():
        print(f"| {name} | {used.cpu_s / millions:.3f} | {used.peak_mb:.0f} |")
    total = sum(used.cpu_s for used in result.processes.values()) / millions
    print(f"| all | {total:.3f} | |\n")
    print(
        f"Bytes per reading: {result.bytes_buffer:.2f} in the buffer, {result.bytes_journal:.2f} "
        f"on the wire and in the journal, {result.bytes_lake:.2f} in the lake.\n",
        flush=True,
    )


def print_device(result: DeviceResult) -> None:
    print("### the agent on a device\n")
    print(
        f"Host metrics at 1 Hz for {result.seconds:.0f} s ({result.readings} readings): "
        f"{result.used.rss_mb:.1f} MB resident (peak {result.used.peak_mb:.1f}), "
        f"{100 * result.used.cpu_s / result.seconds:.1f} % of a core, "
        f"{result.used.written_bytes / max(1, result.readings):.0f} bytes written to disk per reading; "
        f"`edge-agent --help` {result.help_s:.2f} s."
    )


if __name__ == "__main__":
    main()
