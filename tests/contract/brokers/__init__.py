"""The brokers that ``tests/contract/test_brokers.py`` runs over: one module each.

A module has ``make(folder) -> Make``, which skips with the reason where the broker is not installed; its name
is in ``NAMES``. ``tests/servers/install-brokers.sh`` installs those that ``make test`` does not.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers import free_port, listens, stop_process, wait_until

NAMES = ("mosquitto", "nats", "hivemq", "rabbitmq", "aedes")


class Broker:
    """A process, and what it starts, on a port and a folder that stay when it is killed."""

    def __init__(
        self, argv: Callable[[int], Sequence[str | Path]], folder: Path, *, env: dict[str, str] | None = None
    ) -> None:  # fmt: skip
        self.port = free_port()
        self._argv, self._env = argv, env or {}
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in self._argv(self.port)], stdout=log, stderr=log,
                env={**os.environ, **self._env}, start_new_session=True,
            )  # fmt: skip
        wait_until(self._is_up, 90, f"the broker listens, see {self._log}")

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            stop_process(self._process)
            with contextlib.suppress(ProcessLookupError):  # nobody else was in its group
                os.killpg(self._process.pid, signal.SIGKILL)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-2000:]
        return listens(self.port)


@dataclass(frozen=True)
class Make:
    """A broker, and what one of its make can do.

    Attributes:
        protocol: the newest that it speaks.
        shares: whether it has shared subscriptions.
        durable: whether what it has taken outlives kill -9.
        retains: whether a wildcard subscription gets what it has retained.
        largest: bytes of a payload that it takes.
    """

    broker: Broker
    protocol: str
    shares: bool = True
    durable: bool = True
    retains: bool = True
    largest: int = 8 << 20

    @property
    def settings(self) -> str:
        """Of the gateway: what it would find out by itself, in 20 s."""
        return 'protocol = "3.1.1"' if self.protocol == "3.1.1" else ""


def make(name: str, folder: Path) -> Make:
    """The broker of that name, not started."""
    module = importlib.import_module(f"{__name__}.{name}")
    folder.mkdir(parents=True, exist_ok=True)
    made: Make = module.make(folder)
    return made
