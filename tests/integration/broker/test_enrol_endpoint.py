"""The enrolment endpoint and `edge-agent enroll`: what goes wrong, and what is said about it."""

from __future__ import annotations

import json
import socket
import ssl
import stat
import threading
import time
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from edge_agent.enrol import exchange
from headrace.errors import UsageError
from headrace.limits.enrolment import ENROL_MAX_BODY_BYTES
from tests.enrolment import EnrolSite, make_site, run_enroll, run_gateway, tls_context
from tests.programs import Programs
from tests.servers import wait_until
from tests.servers.agent import write_agent_config

HOST = '[[inputs]]\nplugin = "host"\n'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    """One running gateway for this file; it has a model repository's root."""
    folder = tmp_path_factory.mktemp("endpoint")
    (folder / "root.json").write_text('{"signed": {}}', encoding="utf-8")
    programs = Programs(folder)
    made = make_site(programs, enrol=f'model_root = "{folder / "root.json"}"\nbroker_port = 8884')
    made.gateway.start()
    yield made
    programs.close()


def test_what_enrolment_leaves_on_the_device(site, tmp_path):
    """Key for its owner alone, certificate, CA, model root; and TOML to paste."""
    out = tmp_path / "tls"
    result = run_enroll(site.url, site.invite("pump-1"), "--out", out)
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE((out / "device.key").stat().st_mode) == 0o600
    assert {path.name for path in out.iterdir()} == {
        "device.key", "device.crt", "ca.crt", "model-root.json",
    }  # fmt: skip
    pasted = tomllib.loads(result.stdout)
    assert pasted["device"] == "pump-1"
    assert pasted["uplink"] | {"host": "127.0.0.1", "port": 8884, "tls": True} == pasted["uplink"]


def test_agent_toml_keeps_everything_else(site, tmp_path):
    """Comments, other tables, and keys of [uplink] that enrolment does not know."""
    config = write_agent_config(
        tmp_path, port=1, inputs=HOST + "# the end", device="my-device", uplink="window_batches = 7"
    )
    assert run_enroll(site.url, site.invite("pump-2"), "--write-config", config).exit_code == 0
    text = config.read_text(encoding="utf-8")
    data = tomllib.loads(text)
    assert data["device"] == "pump-2"
    assert data["uplink"]["window_batches"] == 7
    assert data["uplink"]["cert"] == str(tmp_path / "tls" / "device.crt")
    assert "# the end" in text


def test_a_used_code_is_refused_for_another_device(site, tmp_path):
    """Exit status 1, and what to do."""
    code = site.invite("pump-3")
    assert run_enroll(site.url, code, "--out", tmp_path / "one").exit_code == 0
    result = run_enroll(site.url, code, "--out", tmp_path / "two")
    assert result.exit_code == 1
    assert "has been used" in result.stderr
    assert "gateway enroll" in result.stderr
    assert not (tmp_path / "two" / "device.crt").exists()


def test_an_attempt_that_was_cut_off_goes_on_with_the_same_code(site, tmp_path):
    """The answer was lost: the key is there, the certificate is not."""
    code, out = site.invite("pump-4"), tmp_path / "tls"
    assert run_enroll(site.url, code, "--out", out).exit_code == 0
    key = (out / "device.key").read_bytes()
    (out / "device.crt").unlink()
    assert run_enroll(site.url, code, "--out", out).exit_code == 0
    assert (out / "device.key").read_bytes() == key


def test_a_name_that_another_key_has_is_refused_until_it_is_replaced(site, tmp_path):
    """Two devices never send under one name by mistake."""
    site.enrol("pump-5", tmp_path / "old")
    result = run_enroll(site.url, site.invite("pump-5"), "--out", tmp_path / "new")
    assert result.exit_code == 1
    assert "another key" in result.stderr
    assert "--replace" in result.stderr
    site.enrol("pump-5", tmp_path / "new", "--replace")


def test_a_code_for_another_device_than_the_configured_is_refused(site, tmp_path):
    """And stays usable where it belongs."""
    config = write_agent_config(tmp_path, port=1, inputs=HOST, device="pump-6")
    code = site.invite("pump-7")
    result = run_enroll(site.url, code, "--write-config", config)
    assert result.exit_code == 1
    assert "not for pump-6" in result.stderr
    assert run_enroll(site.url, code, "--out", tmp_path / "other").exit_code == 0


@pytest.mark.parametrize(
    ("url", "code"),
    [("ftp://x", "4K7Q-9RTX-M2PD-0ZHN"), ("https://127.0.0.1:1", "4K7Q"), ("https://h:x", "4K7Q-9RTX-M2PD-0ZHN")],
)  # fmt: skip
def test_mistyped_arguments_are_usage_errors(url, code):
    """Exit status 2 before anything is connected."""
    assert run_enroll(url, code).exit_code == 2


def test_a_gateway_that_is_away_says_where_to_look(tmp_path):
    """Nothing is left behind."""
    result = run_enroll("https://127.0.0.1:1", "4K7Q-9RTX-M2PD-0ZHN", "--out", tmp_path / "tls")
    assert result.exit_code == 1
    assert "[enrol]" in result.stderr
    assert not (tmp_path / "tls").exists()


class Impostor(BaseHTTPRequestHandler):
    """Somebody in between, with a CA of his own; notes what he is told."""

    ca: str = ""
    told: list[bytes] = []  # noqa: RUF012

    def do_GET(self) -> None:
        body = json.dumps({"ca": self.ca, "time": time.time_ns() // 1000}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.told.append(self.rfile.read(int(self.headers["content-length"])))

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def test_somebody_in_between_learns_nothing(site, tmp_path):
    """The code does not fit his CA, so its secret is not sent."""
    from gateway.enrol.authority import Authority
    from headrace.clock import SystemClock

    other = Authority(tmp_path / "pki", site="other", clock=SystemClock())
    other.ensure_own(["127.0.0.1"])
    Impostor.ca = other.ca_pem
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(other.paths.gateway.certificate, other.paths.gateway.key)
    server = HTTPServer(("127.0.0.1", 0), Impostor)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"https://127.0.0.1:{server.server_port}"
        result = run_enroll(url, site.invite("pump-8"), "--out", tmp_path / "tls")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert result.exit_code == 1
    assert "does not fit" in result.stderr
    assert not Impostor.told
    assert not (tmp_path / "tls").exists()


def test_a_clock_that_is_wrong_is_said_before_certificates_are_judged():
    """In both directions; an hour is forgiven."""
    exchange.check_clock(1_795_000_000, 1_795_003_000)
    for own in (0.0, 1_795_000_000 + 7200):
        with pytest.raises(UsageError, match="clock says"):
            exchange.check_clock(1_795_000_000, own)


def test_a_certificate_is_renewed_by_itself_and_not_when_revoked(site, tmp_path):
    """Over mutual TLS, without a code."""
    out = site.enrol("pump-9", tmp_path)
    before = (out / "device.crt").read_bytes()
    assert run_enroll(site.url, "--renew", "--out", out).exit_code == 0
    assert (out / "device.crt").read_bytes() != before
    site.revoke("pump-9")
    result = run_enroll(site.url, "--renew", "--out", out)
    assert result.exit_code == 1
    assert "revoked" in result.stderr
    assert run_enroll(site.url, "--renew", "--out", tmp_path / "none").exit_code == 2


def raw(site: EnrolSite, request: bytes) -> bytes:
    """Bytes to the endpoint, and what comes back until it closes."""
    ca = site.gateway.data / "pki" / "ca.crt"
    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=20) as plain,
        tls_context(ca).wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(request)
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b" 404 "),
        (b"POST /v1/enrol HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n{}x", b" 400 "),
        (b"POST /v1/renew HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{\"csr\":\"\"}", b" 400 "),
        (b"POST /v1/enrol HTTP/1.1\r\nhost: x\r\ncontent-length: 99999\r\n\r\n" + b"x" * (ENROL_MAX_BODY_BYTES + 1), b" 400 "),
    ],
)  # fmt: skip
def test_odd_requests_get_an_answer(site, request_bytes, status):
    """And do not disturb the next one."""
    assert status in raw(site, request_bytes).split(b"\r\n")[0]


@pytest.mark.parametrize("request_bytes", [b"\x00" * 100, b"GET /" + b"x" * 20000])
def test_what_is_not_http_is_dropped(site, request_bytes):
    """Bounded, and quietly."""
    assert raw(site, request_bytes) == b""


def test_the_audit_log_names_who_came_and_who_was_refused(site, tmp_path):
    """With the device and the address, never with a code."""
    code = site.invite("pump-10")
    assert run_enroll(site.url, code, "--out", tmp_path / "a").exit_code == 0
    assert run_enroll(site.url, code, "--out", tmp_path / "b").exit_code == 1
    output = site.gateway.program.output
    wait_until(lambda: "refused 127.0.0.1: bad_code" in output(), 20, "the refusal")
    assert "enrolled pump-10 from 127.0.0.1" in output()
    assert code not in output()


def test_revoke_takes_back_a_code_that_was_not_used_yet(site, tmp_path):
    """The note was lost; a name that nobody ever heard of is a usage error."""
    code = site.invite("pump-11")
    site.revoke("pump-11")
    assert run_enroll(site.url, code, "--out", tmp_path / "tls").exit_code == 1
    assert run_gateway(site, "revoke", "pump-99").exit_code == 2


def test_a_gateway_without_enrolment_gives_no_codes(programs: Programs, tmp_path: Path):
    """It says which line is missing."""
    made = make_site(programs)
    config = made.gateway.program.config
    config.write_text(config.read_text().replace("enabled = true", "enabled = false"))
    result = run_gateway(made, "enroll", "pump-1")
    assert result.exit_code == 2
    assert "enabled = true" in result.stderr
