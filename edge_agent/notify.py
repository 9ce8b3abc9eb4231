"""Tells systemd how the agent is: ``sd_notify`` by a plain socket (``man sd_notify``).

With ``Type=notify`` the unit counts as started when the agent says READY, and with ``WatchdogSec`` it
is restarted when the agent has not said WATCHDOG for that long. Outside systemd, where NOTIFY_SOCKET is
not set, nothing happens.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from headrace.clock import Clock


class Notifier:
    """Says how the agent is, where somebody listens."""

    def __init__(self, clock: Clock, environment: Mapping[str, str] = os.environ) -> None:
        self._clock = clock
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._every_s = _watchdog_s(environment)
        self._fed_at = float("-inf")

    def ready(self, status: str) -> None:
        """The agent runs; ``status`` is what ``systemctl status`` shows."""
        self._say(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """Feed the watchdog, twice as often as it wants; call it as often as you like."""
        now = self._clock.monotonic()
        if self._every_s and now - self._fed_at >= self._every_s / 2:
            self._fed_at = now
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The agent has begun to stop."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto(text.encode(), self._address)
        except OSError:
            # A manager that is gone hears nothing; that is no reason for the agent to stop.
            return


def _address(path: str) -> str:
    """A socket's path, or its abstract name."""
    return "\0" + path[1:] if path.startswith("@") else path


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """Seconds within which this process must speak; 0 when nobody watches."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 1_000_000 if text.isdigit() else 0.0
