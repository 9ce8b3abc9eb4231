"""A real HTTP server whose answers a test decides: for sinks whose other end is anybody's."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers import free_port


@dataclass(frozen=True)
class Request:
    """What arrived; ``body`` is unpacked, ``raw`` is not."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    raw: bytes


@dataclass(frozen=True)
class Reply:
    """What to answer."""

    status: int = 204
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Request], Reply]


@dataclass
class HttpServer:
    """A running server: its port, the requests so far, and how it answers from now on."""

    port: int
    answer: Answer
    scheme: str = "http"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextmanager
def http_server(
    answer: Answer = lambda _: Reply(),
    *,
    port: int | None = None,
    context: ssl.SSLContext | None = None,
) -> Iterator[HttpServer]:
    """Serve on 127.0.0.1 while the block lasts, with ``context`` over TLS."""
    served = HttpServer(port or free_port(), answer, "https" if context else "http")
    connections: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
            packed = self.headers.get("Content-Encoding") == "gzip"
            request = Request(
                self.path, dict(self.headers), gzip.decompress(raw) if packed else raw, raw
            )
            served.requests.append(request)
            reply = served.answer(request)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None: ...

    for verb in ("GET", "HEAD", "PUT", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler.do_POST)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def process_request(self, request: Any, client_address: Any) -> None:
            connections.append(request)
            served.connections += 1
            super().process_request(request, client_address)

        def handle_error(self, *_: object) -> None: ...

    with Server(("127.0.0.1", served.port), Handler) as server:
        if context is not None:
            # The handshake is made by the handler's thread, with its first read.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="http-server")
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
            for connection in connections:  # a client that keeps its connection must notice, too
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
