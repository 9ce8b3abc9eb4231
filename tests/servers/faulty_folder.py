"""A web server over a folder that can misbehave with one of its files, as bad links and bad people do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

#: truncated: half of the bytes, then the connection closes; endless: the bytes and then more, for
#: ever; stalled: one byte and then nothing until the client goes; trickle: a byte every 20 ms, for
#: ever; error: status 500.
Fault = Literal["truncated", "endless", "stalled", "trickle", "error"]

_CHUNK = b"\0" * 65_536


@dataclass
class FaultyFolder:
    """``faults``: how the end of a path misbehaves. ``sent``: bytes of bodies so far."""

    url: str
    folder: Path
    faults: dict[str, Fault] = field(default_factory=dict)
    sent: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def fault(self, path: str) -> Fault | None:
        return next((fault for end, fault in self.faults.items() if path.endswith(end)), None)


@contextmanager
def serve_folder(folder: Path) -> Iterator[FaultyFolder]:
    """Serve while the block lasts; ``served.folder`` may be changed to another one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = served.folder / self.path.lstrip("/")
            if not file.is_file():
                self.send_error(404)
                return
            data, fault = file.read_bytes(), served.fault(self.path)
            if fault == "error":
                self.send_error(500)
                return
            self.send_response(200)
            if fault not in ("endless", "trickle"):
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            try:
                self._send(data, fault)
            except OSError:
                return  # the client has gone

        def _send(self, data: bytes, fault: Fault | None) -> None:
            self._write(
                {"truncated": data[: len(data) // 2], "stalled": data[:1]}.get(fault or "", data)
            )
            while fault == "endless" and not served.stopping.is_set():
                self._write(_CHUNK)
            while fault == "trickle" and not served.stopping.wait(0.02):
                self._write(b" ")
            if fault == "stalled":
                served.stopping.wait(30)

        def _write(self, data: bytes) -> None:
            self.wfile.write(data)
            served.sent += len(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = FaultyFolder(f"http://127.0.0.1:{server.server_address[1]}", folder)
    thread = threading.Thread(
        target=server.serve_forever, args=(0.01,), name="faulty folder", daemon=True
    )
    thread.start()
    try:
        yield served
    finally:
        served.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
