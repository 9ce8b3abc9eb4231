"""What systemd is told, over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.notify import Notifier
from headrace.clock import ManualClock


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(5)
        yield channel


def test_ready_watchdog_and_stopping_are_said(manager: socket.socket, tmp_path: Path) -> None:
    """The watchdog twice as often as it wants, not more."""
    clock = ManualClock()
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"}
    notifier = Notifier(clock, environment)
    notifier.ready("buffering")
    assert manager.recv(200) == b"READY=1\nSTATUS=buffering"
    for _ in range(100):
        notifier.alive()
        clock.advance(0.5)
    notifier.stopping()
    said = [manager.recv(200) for _ in range(3)]
    assert said == [b"WATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_an_abstract_socket_is_reached(tmp_path: Path) -> None:
    """Containers use them."""
    name = f"headrace-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + name)
        channel.settimeout(5)
        Notifier(ManualClock(), {"NOTIFY_SOCKET": "@" + name}).ready("x")
        assert channel.recv(200).startswith(b"READY=1")


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    """No socket named, one that is gone, and a watchdog that is meant for another process."""
    Notifier(ManualClock(), {}).ready("x")
    Notifier(ManualClock(), {"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")
    environment = {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}
    Notifier(ManualClock(), environment).alive()
