"""The agent as systemd runs it: what it says on NOTIFY_SOCKET from start to stop."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.servers.agent import agent, write_agent_config


def test_systemd_hears_ready_watchdog_and_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the broker is away: that is no reason to be restarted."""
    config = write_agent_config(
        tmp_path, port=free_port(), inputs='[[inputs]]\nplugin = "simulated"\n'
    )
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        with agent(config) as process:
            assert manager.recv(500).startswith(b"READY=1\nSTATUS=buffering into")
            assert [manager.recv(500) for _ in range(2)] == [b"WATCHDOG=1"] * 2
            process.send_signal(signal.SIGTERM)
            said = [manager.recv(500)]
            while said[-1] == b"WATCHDOG=1":
                said.append(manager.recv(500))
            assert said[-1] == b"STOPPING=1"
            assert process.wait(10) == 0
