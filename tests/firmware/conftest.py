"""Fixtures of the firmware tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.programs import Gateway, Programs, make_gateway
from tests.servers import stop_process
from tests.servers.link import Link


@pytest.fixture
def gateway(programs: Programs) -> Gateway:
    """A running gateway with the broker inside."""
    made = make_gateway(programs)
    made.start()
    made.wait_ready()
    return made


@pytest.fixture
def link(gateway: Gateway) -> Iterator[Link]:
    """The cable between the device and the gateway."""
    made = Link(gateway.mqtt_port)
    yield made
    made.close()


class Board:
    """A device's program, with a power switch."""

    def __init__(self, argv: list[str], log: Path) -> None:
        self._argv = argv
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def power_on(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=subprocess.STDOUT)

    def cut_power(self) -> None:
        """SIGKILL: nothing is flushed, closed or said."""
        assert self._process is not None
        assert self._process.poll() is None, self.output()
        self._process.kill()
        self._process.wait()

    def wait_end(self, seconds: float) -> int:
        assert self._process is not None
        return self._process.wait(seconds)

    def output(self) -> str:
        return self._log.read_text(errors="replace")[-3000:] if self._log.exists() else ""

    def close(self) -> None:
        if self._process is not None:
            stop_process(self._process)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Callable[[list[str]], Board]]:
    """Makes boards; they are off at the end."""
    made: list[Board] = []

    def make(argv: list[str]) -> Board:
        made.append(Board(argv, tmp_path / f"board-{len(made)}.log"))
        return made[-1]

    yield make
    for each in made:
        each.close()
