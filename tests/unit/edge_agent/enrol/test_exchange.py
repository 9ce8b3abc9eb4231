"""What a device makes of answers that are none of a gateway's."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from edge_agent.enrol.exchange import Address, site_time_us
from edge_agent.enrol.files import DeviceFiles
from edge_agent.enrol.request import new_key, request_for
from gateway.enrol.authority import Authority
from gateway.enrol.mosquitto import broker_pair
from headrace.clock import SystemClock
from headrace.errors import TransportError

ANSWERS = {
    "a page": (200, b"<html>"),
    "JSON of something else": (200, b'{"now": "noon"}'),
    "bytes that are no text": (200, b'{"site":"\xff\xfe"}'),
    "an error that is no text": (502, b'{"error":"\xff\xfe"}'),
    "nothing": (200, b""),
}


@pytest.fixture
def enrolled(tmp_path: Path) -> DeviceFiles:
    """The files of a device whose CA has also signed the server's certificate."""
    authority = Authority(tmp_path / "pki", site="site-1", clock=SystemClock())
    authority.ensure_server(broker_pair(tmp_path), "localhost", ["127.0.0.1"])
    files = DeviceFiles(tmp_path)
    files.keep_key(new_key())
    made = authority.issue(request_for(files.key), "pump-1", 10)
    from cryptography.hazmat.primitives.serialization import Encoding

    files.certificate.write_bytes(made.public_bytes(Encoding.PEM))
    files.ca.write_bytes(authority.ca_pem.encode())
    return files


@pytest.fixture
def server(tmp_path: Path, enrolled: DeviceFiles) -> Iterator[HTTPServer]:
    """Answers whatever ``server.answer`` is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = self.server.answer  # type: ignore[attr-defined]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    made = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = broker_pair(tmp_path)
    context.load_cert_chain(pair.certificate, pair.key)
    made.socket = context.wrap_socket(made.socket, server_side=True)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_no_answer_of_a_gateway_is_said_so(
    server: HTTPServer, enrolled: DeviceFiles, name: str
) -> None:
    """Never a traceback: a proxy, a printer, a port that was mistyped."""
    server.answer = ANSWERS[name]  # type: ignore[attr-defined]
    with pytest.raises(TransportError, match="is not a Headrace gateway"):
        site_time_us(Address("127.0.0.1", server.server_port), enrolled)
