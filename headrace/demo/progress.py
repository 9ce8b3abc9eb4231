"""What the demo shows while it runs: devices, the way to the lake, alerts. Asks the gateway's API."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headrace.demo.plan import Plan
from headrace.words import STATE_STYLE, age, when

_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the gateway says at one moment; empty while it does not answer."""

    devices: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    consumers: list[dict[str, Any]] = field(default_factory=list)


class GatewayApi:
    """The part of the gateway's API that the demo needs."""

    def __init__(self, plan: Plan) -> None:
        self._base = plan.page

    def is_ready(self) -> bool:
        """Whether the gateway takes batches."""
        try:
            return bool(self._get("readyz")["ready"])
        except OSError:
            return False

    def snapshot(self) -> Snapshot:
        """The present, or nothing when the gateway does not answer."""
        try:
            return Snapshot(
                self._get("api/v1/devices"),
                [alert for alert in self._get("api/v1/alerts") if alert["state"] in STATE_STYLE],
                self._get("api/v1/consumers"),
            )
        except OSError:
            return Snapshot()

    def _get(self, path: str) -> Any:
        # The address is our own plan's, on the loopback.
        with urllib.request.urlopen(self._base + path, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return json.load(answer)


class Display:
    """A live table on a terminal, a line every few seconds elsewhere (a log, a pipe)."""

    LINE_EVERY_S: Final = 5.0

    def __init__(self, console: Console, plan: Plan, seconds: float | None) -> None:
        self._console = console
        self._plan = plan
        self._seconds = seconds
        self._live: Live | None = None
        self._next_line = 0.0
        self._known: set[tuple[str, str, str]] = set()

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show while the block lasts."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=4, transient=True) as self._live:
            yield

    def show(self, snapshot: Snapshot, elapsed_s: float) -> None:
        """The newest snapshot."""
        if self._live is not None:
            self._live.update(self._render(snapshot, elapsed_s))
            return
        self._print_new_alerts(snapshot)
        if elapsed_s >= self._next_line:
            self._next_line = elapsed_s + self.LINE_EVERY_S
            readings = sum(device["readings"] for device in snapshot.devices)
            online = sum(1 for device in snapshot.devices if device["online"])
            self._console.print(
                f"{elapsed_s:5.0f} s  {online} devices online, {readings} readings at the gateway",
                highlight=False,
            )

    def _print_new_alerts(self, snapshot: Snapshot) -> None:
        for alert in snapshot.alerts:
            key = (alert["device"], alert["rule"], alert["state"])
            if key not in self._known:
                self._known.add(key)
                self._console.print(
                    f"         {alert['state']:>8}  {alert['device']}  {alert['rule']}: {alert['summary']}",
                    style=STATE_STYLE.get(alert["state"], ""),
                    highlight=False,
                    soft_wrap=True,
                )

    def _render(self, snapshot: Snapshot, elapsed_s: float) -> RenderableType:
        left = "" if self._seconds is None else f" of {self._seconds:.0f}"
        head = Text.assemble(
            ("Headrace demo", "bold"),
            f"   {elapsed_s:.0f}{left} s   page: ",
            (self._plan.page, "underline cyan"),
            "   Ctrl-C ends it",
        )
        return Group(head, _devices(snapshot), _alerts(snapshot))


def _devices(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("device", "state", "last seen", "buffered", "readings"):
        table.add_column(title, justify="left" if title in ("device", "state") else "right")
    now_us = time.time_ns() // 1_000
    for device in snapshot.devices:
        state = {True: "[green]online[/]", False: "[red]offline[/]"}.get(device["online"], "?")
        seen = age((now_us - device["last_received"]) / 1e6) if device["last_received"] else "–"
        table.add_row(
            device["device"], state, seen, str(device["buffered"] or 0), f"{device['readings']:,}"
        )
    return table


def _alerts(snapshot: Snapshot) -> RenderableType:
    if not snapshot.alerts:
        return Text("no alerts yet", style="dim")
    lines = []
    for alert in snapshot.alerts[:6]:
        style = STATE_STYLE.get(alert["state"], "")
        lines.append(
            Text.assemble(
                (f"{alert['state']:<9}", style), f"{when(alert['started'])}  {alert['summary']}"
            )
        )
    return Text("\n").join(lines)
