"""All checks, in the order in which their faults hide one another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway import running
from gateway.config import GatewayConfig, load_config
from gateway.doctor import acks, machine, network, ports, secrets, storage, ways_in
from gateway.doctor.finding import Finding, fail, ok
from headrace.errors import ConfigError, HeadraceError


def examine(path: Path, now_us: int) -> Iterator[Finding]:
    """Look at everything that a gateway of this configuration needs; changes nothing."""
    try:
        config = load_config(path)
    except ConfigError as error:
        for fault in error.faults:
            yield fail("config", str(fault), f"correct {path}")
        return
    yield ok("config", str(path))
    yield from storage.folder(config)
    try:
        pid = running.find(config.data_dir)
    except HeadraceError as error:
        yield fail("gateway", str(error), "run this as the gateway's user")
        return
    yield from _of(config, pid, now_us)


def _of(config: GatewayConfig, pid: int | None, now_us: int) -> Iterator[Finding]:
    yield from storage.room(config)
    yield from storage.syncs(config)
    yield from storage.journal(config)
    yield from acks.check(config, now_us)
    yield from machine.clock()
    yield from machine.memory()
    yield from machine.files(pid)
    yield from secrets.check(config, now_us)
    yield from ports.check(config, pid)
    yield from network.running(config, pid)
    yield from network.broker(config, pid)
    yield from ways_in.check(config, pid)
    yield from network.sinks(config)
