"""The ``host`` input: CPU per core, load, memory, disks, network, temperatures, by psutil.

Rates are differences between two polls, so the first poll has none. What a machine does not have
(temperatures in a virtual machine, swap on a Pi) is left out, not sent as zero. A mount that is not there, a
USB disk that was pulled out, is counted and said once, and the rest goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import psutil
from msgspec import Meta

from edge_agent.inputs.port import Input
from edge_agent.inputs.values import Complaints
from edge_agent.readings import Poll, single
from headrace.clock import Clock

_log = logging.getLogger(__name__)

#: One value: (series, value, unit).
Value = tuple[str, float, str]

#: Interfaces that carry no traffic of the machine with the outside.
_INNER_INTERFACES = ("lo", "veth", "docker", "br-", "virbr")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """``[[inputs]] plugin = "host"``."""

    interval_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 1.0
    mounts: tuple[str, ...] = ("/",)
    prefix: Annotated[str, Meta(max_length=200)] = ""


class HostInput(Input):
    """Reads the machine's counters; every reading of a poll has the same time."""

    def __init__(self, settings: HostSettings) -> None:
        self.interval_s = settings.interval_s
        self._settings = settings
        self._before: dict[str, float] = {}
        self._before_at = 0.0
        self._complaints = Complaints(_log)

    def open(self, *, clock: Clock, checkpoint: str | None) -> None:
        super().open(clock=clock, checkpoint=checkpoint)
        psutil.cpu_percent(percpu=True)  # starts its differences
        self._take_rates()

    def poll(self) -> Poll:
        now = self.clock.now_us()
        prefix = self._settings.prefix
        values = [*_cpu(), *_memory(), *self._disks(), *_temperatures()]
        values += self._take_rates()
        runs = [single(prefix + name, now, value, unit) for name, value, unit in values]
        return Poll(runs, dropped=self._complaints.take())

    def _disks(self) -> Iterator[Value]:
        for mount in self._settings.mounts:
            name = f"disk{mount.rstrip('/') or '/root'}"
            try:
                usage = psutil.disk_usage(mount)
            except OSError as error:
                self._complaints.note(name, f"{mount} cannot be asked: {error.strerror}", count=2)
                continue
            self._complaints.heal(name)
            yield f"{name}/usage", usage.percent, "%"
            yield f"{name}/free", usage.free, "B"

    def _take_rates(self) -> list[Value]:
        """Byte counters as rates since the last call."""
        now, counters = self.clock.monotonic(), dict(_byte_counters())
        seconds = now - self._before_at
        rates = [
            (name, (value - self._before[name]) / seconds, "B/s")
            for name, value in counters.items()
            if seconds > 0 and name in self._before and value >= self._before[name]
        ]
        self._before, self._before_at = counters, now
        return rates


def _cpu() -> Iterator[Value]:
    for core, usage in enumerate(psutil.cpu_percent(percpu=True)):
        yield f"cpu/{core}/usage", usage, "%"
    for minutes, load in zip((1, 5, 15), psutil.getloadavg(), strict=True):
        yield f"load/{minutes}m", load, ""


def _memory() -> Iterator[Value]:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    yield "memory/usage", memory.percent, "%"
    yield "memory/available", memory.available, "B"
    if swap.total:
        yield "swap/usage", swap.percent, "%"


def _temperatures() -> Iterator[Value]:
    read = getattr(psutil, "sensors_temperatures", None)  # absent outside Linux
    for chip, sensors in (read() if read else {}).items():
        for index, sensor in enumerate(sensors):
            yield f"temperature/{chip}/{sensor.label or index}", sensor.current, "Cel"


def _byte_counters() -> Iterator[tuple[str, float]]:
    for name, net in psutil.net_io_counters(pernic=True).items():
        if not name.startswith(_INNER_INTERFACES):
            yield f"net/{name}/received", net.bytes_recv
            yield f"net/{name}/sent", net.bytes_sent
    disk = psutil.disk_io_counters()
    if disk is not None:
        yield "disk/read", disk.read_bytes
        yield "disk/written", disk.write_bytes
