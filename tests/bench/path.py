"""From agents' buffers to the lake: every process for real, everything fsynced.

Buffers are filled first (timed on its own); then the agents start and drain them through the broker
while gateway and cloud-sync work. The clock runs from the moment when the gateway has journalled the
first batch (agents take half a second to start, once in their life) to the moment when the last reading
has landed as Parquet; and on to the one when it is registered.
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from headrace.buffer_stats import BufferStats, read_buffer_stats
from headrace.journal import JournalReader
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.config import Lake
from tests.bench.meter import Usage, difference, usage
from tests.programs import Program, Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.mosquitto import mosquitto

_JOURNALLED = "headrace_gateway_journalled_readings_total"


@dataclass(frozen=True, slots=True)
class PathResult:
    """One run of the whole path."""

    readings: int
    rows_per_batch: float
    carried: int
    seconds: float
    registered_seconds: float
    fill_readings_per_s: float
    processes: dict[str, Usage]
    bytes_buffer: float
    bytes_journal: float
    bytes_lake: float
    lost: int

    @property
    def readings_per_s(self) -> float:
        return self.carried / self.seconds


def run_path(
    folder: Path, *, readings: int, agents: int, rows: int, embedded: bool = False
) -> PathResult:
    """Fill, drain, measure.

    Args:
        rows: readings of a batch in the buffer and, at most, of a message.
    """
    each = readings // agents // rows * rows
    devices = [f"bench-{number}" for number in range(agents)]
    fills = [_fill(folder, device, each, number, rows) for number, device in enumerate(devices)]
    total = sum(sampled for sampled, _ in fills)
    with ExitStack() as stack:
        broker = stack.enter_context(_broker(folder, embedded))
        programs = stack.enter_context(_programs(folder))
        kind = "embedded" if embedded else "external"
        gateway = make_gateway(
            programs, kind=kind, mqtt_port=broker[0], extra=["[vitals]\nenabled = false"]
        )
        gateway.start()
        gateway.wait_ready()
        metrics_port = free_port()
        cloud = programs.make("cloud_sync", _cloud_toml(folder, gateway.journal, metrics_port))
        cloud.start()
        wait_until(lambda: _metric(metrics_port, "landed") is not None, 30, "cloud-sync is up")
        pids = {"gateway": gateway.program, "cloud-sync": cloud}
        before = {name: usage(_pid(program)) for name, program in pids.items()}
        broker_before = usage(broker[1]) if broker[1] else None
        made = [
            programs.make("edge_agent", _agent_toml(folder, d, broker[0], rows), d) for d in devices
        ]
        for program in made:
            program.start()
        _poll(lambda: gateway.metric(_JOURNALLED) > 0)
        # What was in the journal by then is not counted as carried.
        already, started = gateway.metric(_JOURNALLED), time.perf_counter()
        _poll(lambda: (_metric(metrics_port, "landed") or 0) >= total)
        seconds = time.perf_counter() - started
        _poll(lambda: (_metric(metrics_port, "registered") or 0) >= total)
        registered = time.perf_counter() - started
        used = {n: difference(usage(_pid(p)), before[n]) for n, p in pids.items()}
        if broker[1] and broker_before:
            used["mosquitto"] = difference(usage(broker[1]), broker_before)
        used |= {f"agent {n}": usage(_pid(p)) for n, p in enumerate(made)}
        # Acks are on their way, and the agents' own few readings: lost and doubled are told at the end.
        _poll(lambda: not any(_stats(folder, device).buffered for device in devices))
        sampled = sum(_stats(folder, device).sampled for device in devices)
        _poll(lambda: (_metric(metrics_port, "registered") or 0) >= sampled)
        with JournalReader(gateway.journal) as reader:
            head = reader.head()
        payload = gateway.metric('headrace_gateway_received_bytes_total{format="arrow"}') / total
        lake_bytes, lake_rows = _lake_size(folder)
    return PathResult(
        readings=total,
        rows_per_batch=total / head,
        carried=total - round(already),
        seconds=seconds,
        registered_seconds=registered,
        fill_readings_per_s=total / sum(s for _, s in fills),
        processes=used,
        bytes_buffer=_buffer_bytes[folder] / total,
        bytes_journal=payload,
        bytes_lake=lake_bytes / lake_rows,
        lost=sampled - lake_rows,
    )


_buffer_bytes: dict[Path, int] = {}


def _fill(folder: Path, device: str, readings: int, seed: int, rows: int) -> tuple[int, float]:
    buffer = folder / f"{device}.db"
    command = [sys.executable, "-m", "tests.bench.fill", str(buffer), device, str(readings)]
    result = subprocess.run(
        [*command, str(seed), "1.0", str(rows)], check=True, capture_output=True, text=True
    )
    sampled, seconds, _, _ = map(float, result.stdout.split())
    stat = read_buffer_stats(buffer)
    _buffer_bytes[folder] = _buffer_bytes.get(folder, 0) + stat.payload_bytes
    return int(sampled), seconds


@contextmanager
def _broker(folder: Path, embedded: bool) -> Iterator[tuple[int, int]]:
    """Port and pid; pid 0 for the broker inside the gateway."""
    if embedded:
        yield free_port(), 0
        return
    with mosquitto(folder, persistence=False) as broker:
        yield broker.port, broker.pid


@contextmanager
def _programs(folder: Path) -> Iterator[Programs]:
    made = Programs(folder)
    try:
        yield made
    finally:
        made.close()


def _pid(program: Program) -> int:
    assert program.process is not None
    return program.process.pid


def _stats(folder: Path, device: str) -> BufferStats:
    return read_buffer_stats(folder / f"{device}.db")


def _poll(reached: Callable[[], bool]) -> None:
    """Wait in steps that are short next to a run."""
    deadline = time.monotonic() + 300
    while not reached():
        assert time.monotonic() < deadline, "the run has not ended within 300 s"
        time.sleep(0.02)


def _metric(port: int, what: str) -> float | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            for line in reply.read().decode().splitlines():
                if line.startswith(f"headrace_cloud_sync_{what}_readings_total "):
                    return float(line.rsplit(" ", 1)[1])
    except OSError:
        return None
    return 0.0


def _lake_size(folder: Path) -> tuple[int, int]:
    table = load_readings(open_catalogue(Lake(uri=str(folder / "lake"))))
    assert table is not None
    files = [task.file for task in table.scan().plan_files()]
    return sum(f.file_size_in_bytes for f in files), sum(f.record_count for f in files)


def _agent_toml(folder: Path, device: str, port: int, rows: int) -> str:
    return f"""
device = "{device}"
[buffer]
path = "{folder / device}.db"
max_bytes = {8 * 1024**3}
[uplink]
port = {port}
message_rows = {rows}
[[inputs]]
plugin = "host"
interval_s = 3600
"""


def _cloud_toml(folder: Path, journal: Path, port: int) -> str:
    return f"""
[journal]
path = "{journal}"
[lake]
uri = "{folder / "lake"}"
[landing]
interval_s = 0.5
[register]
interval_s = 0.5
[metrics]
port = {port}
"""
