"""Real servers for tests: each is started on a free port, waited for, and ended by its own pid."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

#: Below the ports that the kernel gives to outgoing connections: none of those can take one that was
#: handed out and is not bound yet.
_PORTS = range(20_000, 32_000)


def _ports() -> Iterator[int]:
    """This process's share of the ports, from a random one on, round and round."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    share = len(_PORTS) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = _PORTS[worker * share : (worker + 1) * share]
    start = random.randrange(len(own))
    return itertools.cycle([*own[start:], *own[:start]])


_own_ports = _ports()


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago, and that no other test worker is given."""
    for port in _own_ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the ports go round and round")


def wait_until(predicate: Callable[[], object], deadline_s: float, what: str) -> None:
    """Poll until ``predicate`` is true; fail with ``what`` after ``deadline_s`` seconds."""
    end = time.monotonic() + deadline_s
    pause = 0.005
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def listens(port: int) -> bool:
    """Whether something accepts connections on 127.0.0.1:port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


@contextmanager
def start_process(
    argv: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], object],
    deadline_s: float = 20.0,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    grace_s: float = 10.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while the block lasts; its output goes to ``log``."""
    out: IO[bytes]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    try:
        wait_until(lambda: process.poll() is not None or ready(), deadline_s, f"{argv[0]} is ready")
        if process.poll() is not None:
            raise AssertionError(f"{argv[0]} ended at once:\n{log.read_text()[-2000:]}")
        yield process
    finally:
        stop_process(process, grace_s)


def stop_process(process: subprocess.Popen[bytes], grace_s: float = 10.0) -> None:
    """Terminate, then kill."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
