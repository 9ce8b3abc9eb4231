"""What is true at the end: every reading followed from the agent's buffer to the lake.

Counted by name, not by sum: each acknowledged seq of each stream must be in the lake, once. ``lost``
is what was acknowledged and is not in the registered table; ``doubled`` is what is there more than
once. What is still buffered at a device is neither: it is on its way.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from headrace.buffer_stats import BufferStats, read_buffer_stats
from headrace.demo.plan import Plan
from headrace.lake.catalogue import exists, load_readings, open_catalogue
from headrace.lake.config import for_data
from headrace.query.engine import Engine
from headrace.query.sources import collect
from headrace.words import STATE_STYLE, when


@dataclass(frozen=True, slots=True)
class DeviceCount:
    """One device from end to end, in readings."""

    device: str
    sampled: int
    acknowledged: int
    buffered: int
    dropped: int
    in_lake: int
    lost: int
    doubled: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a demo."""

    devices: tuple[DeviceCount, ...]
    results: int
    alerts: tuple[dict[str, Any], ...]
    bytes_per_reading: float | None
    waiting: int

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, doubled or dropped, and everything acknowledged is registered."""
        return not self.waiting and not any(
            device.lost or device.doubled or device.dropped for device in self.devices
        )


def summarise(plan: Plan) -> Summary:
    """Compare buffers and lake.

    Raises:
        HeadraceError: one of them cannot be read.
    """
    journal, lake = for_data(plan.data)
    stats = [read_buffer_stats(plan.buffer(device)) for device in plan.devices]
    waiting = collect(lake, journal.path).tail.num_rows
    with Engine(collect(lake, None), lake) as engine:
        rows = engine.query(_COUNTS).read_all().to_pylist()
        results = engine.query(_RESULTS).read_all().column(0)[0].as_py()
        alerts = engine.query(_ALERTS).read_all().to_pylist()
    counted = {(row["device"], row["stream"]): row for row in rows}
    return Summary(
        devices=tuple(_device(stat, counted.get((stat.device, stat.stream))) for stat in stats),
        results=int(results),
        alerts=tuple(alerts),
        bytes_per_reading=_bytes_per_reading(plan.data),
        waiting=waiting,
    )


_COUNTS = """
SELECT device, stream, count(*) AS rows, count(DISTINCT seq) AS names
FROM readings GROUP BY device, stream
"""
_RESULTS = """
SELECT count(*) FROM readings
WHERE name LIKE 'model/%' OR name LIKE 'alert/%' OR name LIKE 'gateway/%'
"""
_ALERTS = """
SELECT rule, device, series, state, severity, epoch_us(started) AS started, epoch_us(ended) AS ended,
       value, summary
FROM alerts WHERE state IN ('firing', 'resolved') ORDER BY started
"""


def _device(stat: BufferStats, row: dict[str, Any] | None) -> DeviceCount:
    rows, names = (row["rows"], row["names"]) if row else (0, 0)
    return DeviceCount(
        device=stat.device,
        sampled=stat.sampled,
        acknowledged=stat.acknowledged,
        buffered=stat.buffered,
        dropped=sum(stat.dropped.values()),
        in_lake=rows,
        lost=max(0, stat.acknowledged - names),
        doubled=rows - names,
    )


def _bytes_per_reading(data: Path) -> float | None:
    """Size of the registered Parquet files over their rows; None before the first."""
    _, lake = for_data(data)
    table = load_readings(open_catalogue(lake)) if exists(lake) else None
    if table is None:
        return None
    files = [task.file for task in table.scan().plan_files()]
    rows = sum(file.record_count for file in files)
    return sum(file.file_size_in_bytes for file in files) / rows if rows else None


def show(summary: Summary, console: Console, data: Path) -> None:
    """Print it for people."""
    table = Table(title="From sensor to lake (readings)", title_justify="left", title_style="bold")
    table.add_column("device")
    for title in ("sampled", "acknowledged", "in the lake", "lost", "duplicated"):
        table.add_column(title, justify="right")
    for device in summary.devices:
        lost = device.lost + device.dropped
        table.add_row(
            device.device, f"{device.sampled:,}", f"{device.acknowledged:,}", f"{device.in_lake:,}",
            _verdict(lost), _verdict(device.doubled),
        )  # fmt: skip
    console.print(table)
    _show_alerts(summary, console)
    size = summary.bytes_per_reading
    console.print(
        f"Lake: {size:.1f} bytes per reading, " if size is not None else "Lake: nothing registered, ",
        f"{summary.results} results of models, rules and the gateway itself among the readings",
        sep="", highlight=False,
    )  # fmt: skip
    if summary.waiting:
        console.print(
            f"[bold red]{summary.waiting} readings are still in the journal[/]: "
            f"cloud-sync could not finish, see {data / 'logs' / 'cloud-sync.log'}"
        )
    buffered = sum(device.buffered for device in summary.devices)
    if buffered:
        console.print(
            f"{buffered} readings are still buffered at devices; they go on in the next run"
        )
    console.print("\nAsk the lake:", style="bold")
    program = "headrace" if shutil.which("headrace") else Path(sys.executable).with_name("headrace")
    option = "" if str(data) == "headrace-data" else f" --data {data}"
    for statement in STATEMENTS:
        console.print(
            f'  {_short(program)} query{option} "{statement}"', highlight=False, soft_wrap=True
        )


STATEMENTS = (
    "SELECT device, name, count(*), round(avg(value), 2) AS mean FROM readings "
    "WHERE name IN ('flow', 'vibration') GROUP BY ALL ORDER BY ALL",
    "SELECT rule, device, state, started, ended, value FROM alerts ORDER BY started",
    "SELECT date_trunc('second', time) AS second, avg(value) FROM readings WHERE device = 'pump-3' "
    "AND name = 'vibration' GROUP BY 1 ORDER BY 1 DESC LIMIT 20",
)


def _short(program: str | Path) -> str:
    """The program as one would type it here."""
    path = Path(program)
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(program)


def _verdict(count: int) -> str:
    return f"[bold red]{count:,}[/]" if count else "[green]0[/]"


def _show_alerts(summary: Summary, console: Console) -> None:
    console.print("Alerts (UTC)" if summary.alerts else "No alerts.", style="bold")
    for alert in summary.alerts:
        until = f" to {when(alert['ended'])}" if alert["ended"] else ""
        console.print(
            f"  {when(alert['started'])}{until}  {alert['state']:<8}  {alert['rule']}: {alert['summary']}",
            style=STATE_STYLE.get(alert["state"], ""), highlight=False, soft_wrap=True,
        )  # fmt: skip
