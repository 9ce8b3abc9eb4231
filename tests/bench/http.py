"""Line protocol over HTTP, gzip, many lines a request: a load as Telegraf's, without Telegraf's cost.

Two parts. ``python -m tests.bench.http PORT TOKEN DEVICE REQUESTS LINES CONNECTIONS`` is the load, a process
of its own: bodies are made and packed first, then each connection sends one request after the other and
waits for its 204. It prints JSON: readings, seconds, cpu_s, latencies in ms. ``run_http`` puts a real gateway
in front of it, journal fsync and all, and measures both.
"""

from __future__ import annotations

import gzip
import json
import select
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.meter import Usage, difference, usage
from tests.http_ingest import http_site

#: Bodies that are made in advance and sent in turn.
_BODIES = 20
_SERIES = 50


@dataclass(frozen=True, slots=True)
class HttpResult:
    """One run."""

    readings: int
    seconds: float
    client_cpu_s: float
    gateway: Usage
    p50_ms: float
    p99_ms: float
    journalled: int

    @property
    def readings_per_s(self) -> float:
        return self.readings / self.seconds

    @property
    def gateway_us_per_reading(self) -> float:
        return 1e6 * self.gateway.cpu_s / self.readings

    @property
    def client_us_per_reading(self) -> float:
        return 1e6 * self.client_cpu_s / self.readings


@dataclass(slots=True)
class Sender:
    """One connection with one request on its way."""

    sock: socket.socket
    began: float = 0.0
    answer: bytes = b""
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))


class Load:
    """All connections of the process."""

    def __init__(self, port: int, requests: list[bytes], count: int, connections: int) -> None:
        self._requests = requests
        self._left = count
        self._poll = select.epoll()
        self._senders: dict[int, Sender] = {}
        self.latencies: list[float] = []
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            self._senders[sock.fileno()] = Sender(sock)

    def run(self) -> float:
        """Send everything; the seconds until the last answer."""
        started = time.perf_counter()
        wanted = self._left
        for sender in self._senders.values():
            self._poll.register(sender.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
            self._next(sender)
        while len(self.latencies) < wanted:
            for number, events in self._poll.poll(10.0):
                sender = self._senders[number]
                if events & select.EPOLLOUT:
                    self._send(sender)
                if events & select.EPOLLIN:
                    self._receive(sender)
        return time.perf_counter() - started

    def _next(self, sender: Sender) -> None:
        if not self._left:
            self._poll.modify(sender.sock.fileno(), select.EPOLLIN)
            return
        self._left -= 1
        sender.began = time.perf_counter()
        sender.unsent = memoryview(self._requests[self._left % len(self._requests)])
        self._poll.modify(sender.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _send(self, sender: Sender) -> None:
        try:
            sender.unsent = sender.unsent[sender.sock.send(sender.unsent) :]
        except BlockingIOError:
            return
        if not sender.unsent:
            self._poll.modify(sender.sock.fileno(), select.EPOLLIN)

    def _receive(self, sender: Sender) -> None:
        sender.answer += sender.sock.recv(65_536)
        if b"\r\n\r\n" not in sender.answer:
            return
        assert sender.answer.startswith(b"HTTP/1.1 204 "), sender.answer
        sender.answer = b""
        self.latencies.append(time.perf_counter() - sender.began)
        self._next(sender)


def lines(number: int, count: int) -> bytes:
    """One body: a field a line, as many series as a busy machine has."""
    start = 1_790_000_000_000_000_000 + number * count * 1_000_000
    return "".join(
        f"cpu,core=c{row % _SERIES},host=bench load={(row * 7919 + number) % 10_000 / 100} {start + row * 1_000_000}\n"
        for row in range(count)
    ).encode()


def request(token: str, device: str, body: bytes) -> bytes:
    """As Telegraf's output influxdb_v2 sends it, and whose it is."""
    packed = gzip.compress(body, 6)
    head = (
        "POST /api/v2/write?bucket=b&org=o HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Telegraf/1.34.0\r\n"
        f"Authorization: Token {token}\r\nHeadrace-Device: {device}\r\nContent-Encoding: gzip\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(packed)}\r\n\r\n"
    )
    return head.encode() + packed


def main() -> None:
    port, token, device = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    count, per_request, connections = map(int, sys.argv[4:7])
    bodies = [lines(number, per_request) for number in range(min(_BODIES, count))]
    load = Load(port, [request(token, device, body) for body in bodies], count, connections)
    print("ready", flush=True)
    sys.stdin.readline()
    before = time.process_time()
    seconds = load.run()
    found = sorted(load.latencies)
    print(
        json.dumps(
            {
                "readings": count * per_request,
                "seconds": seconds,
                "cpu_s": time.process_time() - before,
                "p50_ms": 1_000 * found[len(found) // 2],
                "p99_ms": 1_000 * found[len(found) * 99 // 100],
            }
        )
    )


def run_http(
    folder: Path, *, requests: int = 1_000, per_request: int = 5_000, connections: int = 8
) -> HttpResult:
    """The load against a gateway of its own."""
    with http_site(folder) as site:
        token = site.token("bench-*")
        process = site.gateway.program.process
        assert process is not None
        words = [
            str(site.port),
            token,
            "bench-1",
            str(requests),
            str(per_request),
            str(connections),
        ]
        with subprocess.Popen(
            [sys.executable, "-m", "tests.bench.http", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as load:  # fmt: skip
            assert load.stdout is not None
            assert load.stdin is not None
            assert load.stdout.readline() == "ready\n"
            before = usage(process.pid)
            load.stdin.write("go\n")
            load.stdin.flush()
            said = json.loads(load.stdout.readline())
            used = difference(usage(process.pid), before)
        journalled = site.gateway.metric("headrace_gateway_journalled_readings_total")
    return HttpResult(
        said["readings"], said["seconds"], said["cpu_s"], used, said["p50_ms"], said["p99_ms"],
        int(journalled),
    )  # fmt: skip


if __name__ == "__main__":
    main()
