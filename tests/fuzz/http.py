"""The HTTP ingest against any bytes: the real protocol, application, tokens and inbox on a real socket pair.

What must hold for whatever a client sends: each answer is one of those that are written down and none is
500; nothing is left running; and a request is taken as a whole or not at all: 204 stands for payloads that
all decode, a refusal "kept in quarantine" for one that does not, and behind any other refusal nothing has
gone to the inbox.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn
import zstandard
from uvicorn.server import ServerState

from gateway.api import tokens as tokens_
from gateway.api.app import make_app
from gateway.api.desk import Desk
from gateway.api.handover import Handover
from gateway.api.influx import Influx
from gateway.api.readings import Readings
from gateway.api.tokens import Tokens
from gateway.ingest.arrival import Arrival
from gateway.ingest.inbox import Inbox
from gateway.ingest.reading import Refused, read
from headrace.clock import ManualClock
from headrace.errors import PayloadError
from headrace.http_guard import GuardedProtocol, guarded
from headrace.metrics import Metrics
from tests.wire_vectors import NOW_US

#: Stands for a good token in the bytes of a target: the fuzzer could not guess one.
TOKEN: Final = b"{token}"

ANSWERS: Final = frozenset({200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 431, 503})
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")

#: Passes of the event loop in which a request that has all its bytes is through.
_PASSES: Final = 60

_LINE: Final = b"m,device=pump-1 f=1,g=2i 1790000000000000000"


class Ingest:
    """One listener's worth of parts, and a journal that takes whatever decodes."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        clock = ManualClock(NOW_US)
        path = tokens_.token_path(folder)
        self.secret = tokens_.add(path, "pump-*", now_us=NOW_US, valid_s=None)[1].encode()
        self._inbox = Inbox()
        handover = Handover(
            inbox=self._inbox, clock=clock, stalled=lambda: False, keys_full=lambda: False,
            held_s=lambda _device: 0.0,
        )  # fmt: skip
        desk = Desk(tokens=Tokens(path), clock=clock, handover=handover)
        app = make_app(Influx(desk=desk, device_tag="device"), Readings(desk), Metrics("gateway"))
        self._config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self._config.load()
        self._class = guarded(lambda _status: None)
        self.refusals: list[PayloadError | None] = []

    def exchange(self, pieces: list[bytes]) -> bytes:
        """Send pieces one after the other; what came back until the connection was closed."""
        self.refusals = []
        return self._loop.run_until_complete(self._exchange(pieces))

    async def _exchange(self, pieces: list[bytes]) -> bytes:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        state = ServerState()

        def made() -> GuardedProtocol:
            return self._class(
                config=self._config, server_state=state, app_state={}, _loop=self._loop
            )  # type: ignore[call-arg]

        await self._loop.connect_accepted_socket(made, theirs)
        answer = bytearray()
        for piece in pieces:
            await self._send(ours, piece)
            await self._settle(ours, answer)
        ours.shutdown(socket.SHUT_WR)
        await self._settle(ours, answer)
        ours.close()
        for _ in range(_PASSES):
            if not state.tasks and not state.connections:
                return bytes(answer)
            await self._journal()
        raise AssertionError(f"still running: {state.tasks or state.connections}")

    async def _send(self, ours: socket.socket, piece: bytes) -> None:
        try:
            await self._loop.sock_sendall(ours, piece)
        except OSError:
            return  # it was closed on the way, which is an answer, too

    async def _settle(self, ours: socket.socket, answer: bytearray) -> None:
        quiet = 0
        while quiet < 6:
            quiet += 1
            await self._journal()
            try:
                found = ours.recv(65_536)
            except (BlockingIOError, ConnectionResetError):
                continue
            if found:
                answer += found
                quiet = 0

    async def _journal(self) -> None:
        await asyncio.sleep(0)
        for arrival in self._inbox.take(0.0).arrivals:
            self._commit(arrival)
        await asyncio.sleep(0)

    def _commit(self, arrival: Arrival) -> None:
        found = read(arrival)
        error = found.error if isinstance(found, Refused) else None
        self.refusals.append(error)
        assert arrival.done is not None
        arrival.done(error)


_ingests: list[Ingest] = []


def _ingest() -> Ingest:
    """Made once a process."""
    if not _ingests:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        _ingests.append(Ingest(Path(tempfile.mkdtemp(prefix="headrace-fuzz-http-"))))
    return _ingests[0]


def _sent(pieces: list[bytes]) -> tuple[list[int], bytes, list[PayloadError | None]]:
    ingest = _ingest()
    answer = ingest.exchange([piece.replace(TOKEN, ingest.secret) for piece in pieces])
    statuses = [int(found) for found in _STATUS.findall(answer) if found != b"100"]
    assert ANSWERS.issuperset(statuses), answer[:2_000]
    return statuses, answer, ingest.refusals


def http(data: bytes) -> None:
    """Any bytes on a connection; the first two say into how many pieces they are cut."""
    count = 1 + (data[0] % 4 if data else 0)
    size = max(1, -(-len(data) // count))
    statuses, _, refusals = _sent([data[at : at + size] for at in range(0, len(data), size)])
    # What is in quarantine, and nothing else, was answered so; a request without answer may be in either.
    assert statuses.count(204) <= len(refusals) + data.count(b"/ping")


def http_request(data: bytes) -> None:
    """One whole request with a good token; a byte each chooses path, headers and packing."""
    choice, rest = data[:4].ljust(4, b"\0"), data[4:]
    query, _, more = rest.partition(b"\n")
    header, _, body = more.partition(b"\n")
    packing = (b"", b"gzip", b"zstd")[choice[1] % 3]
    if choice[2] & 1:
        body = {b"gzip": gzip.compress, b"zstd": zstandard.compress}.get(packing, bytes)(body)
    path = _PATHS[choice[0] % len(_PATHS)]
    kind = _KINDS[choice[3] % len(_KINDS)]
    lines = [
        b"POST " + path + (b"?" + query if query else b"") + b" HTTP/1.1", b"Host: gateway",
        b"Authorization: Token " + TOKEN, b"Content-Type: " + kind, b"Connection: close",
        *([b"Content-Encoding: " + packing] if packing else []), *([header] if header else []),
        b"Content-Length: %d" % len(body),
    ]  # fmt: skip
    statuses, answer, refusals = _sent([b"\r\n".join(lines) + b"\r\n\r\n" + body])
    if len(statuses) == 1:
        _check_whole(statuses[0], answer, refusals)


def _check_whole(status: int, answer: bytes, refusals: list[PayloadError | None]) -> None:
    """Taken as a whole, refused with all that was not taken in quarantine, or not begun."""
    if status == 204:
        assert refusals
        assert not any(refusals)
    elif b"kept in quarantine" in answer:
        assert any(refusals)
    else:
        assert not refusals


_PATHS: Final = (
    b"/write",
    b"/api/v2/write",
    b"/api/v3/write_lp",
    b"/v1/readings/pump-1",
    b"/query",
)
_KINDS: Final = (
    b"text/plain", b"application/senml+json", b"application/senml+cbor",
    b"application/vnd.apache.arrow.stream",
)  # fmt: skip

TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"http": http, "http-request": http_request}


def seeds(target: str) -> list[bytes]:
    """Requests as clients send them, and what attackers are known for."""
    return _RAW if target == "http" else _REQUESTS


def _request(first: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    lines = [first + b" HTTP/1.1", b"Host: gateway", b"Authorization: Token " + TOKEN, *headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


_RAW: Final = [
    _request(b"POST /api/v2/write?org=o&bucket=b&precision=ns", body=_LINE),
    _request(b"POST /write?db=d&u=a&p=b&precision=s", b"Headrace-Device: pump-1", body=b"m f=1 1790000000"),
    _request(b"POST /v1/readings/pump-1", b"Content-Type: application/senml+json", b"Idempotency-Key: k-1", body=b'[{"n":"a","v":1}]'),
    _request(b"POST /write", b"Content-Encoding: gzip", body=gzip.compress(_LINE, mtime=0)),
    _request(b"POST /write", b"Transfer-Encoding: chunked") + b"2c\r\n" + _LINE + b"\r\n0\r\n\r\n",
    _request(b"POST /write", b"Transfer-Encoding: chunked", body=_LINE),
    _request(b"POST /write", b"Content-Length: 5", body=_LINE),
    _request(b"POST /write", b"Expect: 100-continue", body=_LINE),
    _request(b"GET /ping") + _request(b"GET /health") + _request(b"POST /query?q=CREATE+DATABASE+d"),
    _request(b"GET /ping", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: eA=="),
    _request(b"GET /openapi.json") + _request(b"DELETE /write") + _request(b"GET /nowhere"),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT gateway:80 HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
    b"GET / HTTP/1.0\r\n\r\n", b"POST /write HTTP/1.1\r\nAuthorization: Basic YTpi\r\n\r\n",
    # Found by this target, once: 500.
    b"POST /write HTTP/1.1\r\nAuthorization: Basic \xaf\xab\x8f\x96\r\n\r\n",
]  # fmt: skip

_REQUESTS: Final = [
    b"\0\0\0\0precision=ns\n\n" + _LINE,
    b"\1\1\1\0org=o&bucket=b\nIdempotency-Key: k\n" + _LINE,
    b"\2\2\1\0precision=auto\n\n" + _LINE + b"\n" + _LINE.replace(b"pump-1", b"pump-2"),
    b'\3\0\0\1\n\n[{"bn":"a","n":"b","v":1,"u":"V"}]',
    b"\3\1\1\2\n\n\x81\xa2\x00aa\x02\x01",
    b"\3\0\0\0precision=h\nHeadrace-Device: pump-1\nm f=1 1",
    b"\4\0\0\0q=CREATE+DATABASE+x\n\nq=SELECT",
    b"\0\1\0\0\n\n" + gzip.compress(_LINE, mtime=0)[:-4],
]
