"""The question that a container's health check asks."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from headrace.errors import TransportError
from headrace.health import local_address, probe
from tests.servers import free_port


class Program(BaseHTTPRequestHandler):
    """Well at /healthz, unwell everywhere else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()
        self.wfile.write(b"said " + self.path.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Program)
    thread = threading.Thread(target=server.serve_forever, name="program")
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_program_that_works_says_so(port: int) -> None:
    """200 is health, and what it said is handed on."""
    assert probe("127.0.0.1", port, "/healthz") == "said /healthz"


def test_a_program_that_listens_everywhere_is_asked_on_loopback(port: int) -> None:
    """0.0.0.0 is no address to connect to on every system."""
    assert probe("0.0.0.0", port, "/healthz") == "said /healthz"
    assert local_address("::") == "::1"
    assert local_address("gateway.site") == "gateway.site"


def test_any_other_status_is_a_failure_with_what_was_said(port: int) -> None:
    """The reason reaches the engine's log of checks."""
    with pytest.raises(TransportError, match="says 503: said /readyz"):
        probe("127.0.0.1", port, "/readyz")


def test_nobody_there_is_a_failure_that_says_where() -> None:
    """The address is in the message, because the configuration may be the wrong one."""
    port = free_port()
    with pytest.raises(TransportError, match=f"127.0.0.1:{port}/healthz.*is it running"):
        probe("127.0.0.1", port, "/healthz")
