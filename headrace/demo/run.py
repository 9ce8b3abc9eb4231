"""The demo from start to end: start sinks before sources, watch, stop sources before sinks, sum up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from headrace.demo.plan import Plan, make_plan
from headrace.demo.processes import Processes
from headrace.demo.progress import Display, GatewayApi
from headrace.demo.summary import show, summarise
from headrace.errors import HeadraceError

_READY_S: Final = 60.0
_CATCH_UP_S: Final = 15.0
_LOOK_EVERY_S: Final = 0.5


def run_demo(data: Path, seconds: float | None, console: Console) -> bool:
    """Run the whole system; returns whether no reading was lost or doubled.

    Raises:
        HeadraceError: a program could not start or ended by itself.
    """
    plan = make_plan(data.absolute(), seconds)
    stop = threading.Event()
    with stopping_on_signals(stop), Processes() as processes:
        _start(plan, processes, stop, console)
        _watch(plan, processes, stop, console, seconds)
        console.print("stopping: devices first, the lake last ...", highlight=False)
        _stop(plan, processes)
    summary = summarise(plan)
    show(summary, console, data)
    return summary.ok


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """Set ``stop`` at SIGINT and SIGTERM while the block lasts."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(plan: Plan, processes: Processes, stop: threading.Event, console: Console) -> None:
    console.print(f"starting gateway, {len(plan.agents)} agents and cloud-sync in {plan.data} ...", highlight=False)  # fmt: skip
    api = GatewayApi(plan)
    processes.start(plan.gateway)
    _wait(api.is_ready, _READY_S, "the gateway to be ready", processes, stop)
    for agent in plan.agents:
        processes.start(agent)
    processes.start(plan.cloud_sync)
    console.print(f"page: {plan.page}", style="bold", highlight=False)
    console.print(
        f"pump-3 gets a worn bearing after {plan.fault_after_s:.0f} s; Ctrl-C ends the demo",
        highlight=False,
    )


def _watch(
    plan: Plan, processes: Processes, stop: threading.Event, console: Console, seconds: float | None
) -> None:
    api = GatewayApi(plan)
    display = Display(console, plan, seconds)
    started = time.monotonic()
    with display.showing():
        while not stop.is_set():
            elapsed = time.monotonic() - started
            if seconds is not None and elapsed >= seconds:
                return
            processes.check()
            display.show(api.snapshot(), elapsed)
            stop.wait(_LOOK_EVERY_S)


def _stop(plan: Plan, processes: Processes) -> None:
    processes.stop(plan.agents)
    api = GatewayApi(plan)
    deadline = time.monotonic() + _CATCH_UP_S
    while time.monotonic() < deadline:
        # cloud-sync does its last pass when it is stopped, behind the gateway.
        own = [consumer for consumer in api.snapshot().consumers if consumer["here"]]
        if all(consumer["lag_batches"] == 0 for consumer in own):
            break
        time.sleep(0.1)
    processes.stop([plan.gateway])
    processes.stop([plan.cloud_sync])


def _wait(
    condition: Callable[[], bool],
    deadline_s: float,
    what: str,
    processes: Processes,
    stop: threading.Event,
) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        processes.check()
        if stop.is_set():
            raise HeadraceError("stopped before the demo had begun")
        if time.monotonic() > end:
            raise HeadraceError(f"waited {deadline_s:.0f} s for {what}")
        stop.wait(0.1)
