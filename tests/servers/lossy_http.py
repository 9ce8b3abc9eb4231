"""An HTTP proxy that loses requests and answers, as load balancers do."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

#: unsent: the request does not arrive; unanswered: it does, and the connection closes without an answer;
#: timeout: it does, and the answer is 504.
Loss = Literal["unsent", "unanswered", "timeout"]


@dataclass
class LossyHttp:
    """``losses``: what becomes of the next requests with ``marked`` in their POST's path, in order."""

    url: str
    marked: str
    losses: list[Loss] = field(default_factory=list)


@contextmanager
def lossy(target: str, *, marked: str) -> Iterator[LossyHttp]:
    """Forward to ``http://host:port`` while the block lasts."""
    host = target.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hit = self.command == "POST" and proxy.marked in self.path and proxy.losses
            loss = proxy.losses.pop(0) if hit else None
            if loss == "unsent":
                self.close_connection = True
                return
            status, headers, answer = self._ask(body)
            if loss == "unanswered":
                self.close_connection = True
                return
            if loss == "timeout":
                status, headers, answer = (
                    504,
                    [],
                    b'{"error":{"message":"timeout","type":"x","code":504}}',
                )
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            asked = http.client.HTTPConnection(host, timeout=30)
            headers = {
                name: value for name, value in self.headers.items() if name.lower() != "host"
            }
            asked.request(self.command, self.path, body or None, headers)
            answer = asked.getresponse()
            try:
                return answer.status, answer.getheaders(), answer.read()
            finally:
                asked.close()

        do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = _forward  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = LossyHttp(f"http://127.0.0.1:{server.server_address[1]}", marked)
    thread = threading.Thread(
        target=server.serve_forever, args=(0.01,), name="lossy http", daemon=True
    )
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
