"""What strangers and broken clients do to the HTTP ingest: refused in bounded time and memory, others unharmed."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time

import pytest

from headrace.limits.http import HTTP_HEAD_S, HTTP_MAX_CONNECTIONS, HTTP_MAX_HEAD_BYTES
from headrace.limits.sizes import MIB
from tests.bench.meter import usage
from tests.http_ingest import http_site
from tests.servers import wait_until

LINE = b"tank level=1.5 1790000000000000000"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with http_site(tmp_path_factory.mktemp("doors")) as site:
        yield site


@pytest.fixture(scope="module")
def token(site):
    return site.token("pump-*")


def connect(site):
    return socket.create_connection(("127.0.0.1", site.port), timeout=30)


def answer(sock):
    """Everything until the gateway closes."""
    found = b""
    try:
        while data := sock.recv(65_536):
            found += data
    except ConnectionResetError:
        pass
    return found


def post(token, length, more=""):
    return (
        f"POST /write HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n"
        f"Headrace-Device: pump-1\r\nContent-Length: {length}\r\n{more}\r\n"
    ).encode()


def honest(site, token):
    return site.write(token, LINE, Headrace_Device="pump-9").status


def test_headers_that_trickle_are_given_up(site, token):
    """Slowloris: a byte now and then, and never the end; also behind a first request."""
    fresh, kept = connect(site), connect(site)
    kept.sendall(post(token, len(LINE)) + LINE)
    assert b" 204 " in kept.recv(4096)
    began = time.monotonic()
    for sock in (fresh, kept):
        sock.sendall(b"POST /write HTTP/1.1\r\nX-A: b")
    assert b" 408 " in answer(fresh)
    assert b" 408 " in answer(kept)
    assert HTTP_HEAD_S - 1 < time.monotonic() - began < HTTP_HEAD_S + 5
    assert honest(site, token) == 204


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * HTTP_MAX_HEAD_BYTES + b" HTTP/1.1\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nX-A: " + b"a" * HTTP_MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET /ping HTTP/1.1\r\n" + b"X-A: b\r\n" * 6_000 + b"\r\n",
        b"GET /ping HTTP/1.1\r\nX-A: " + b"a" * 8 * MIB,
    ],
    ids=["path", "header", "headers", "endless"],
)
def test_headers_that_are_too_large_are_refused(site, token, head):
    """Before they are all here, however they are cut into packets."""
    sock = connect(site)
    try:
        for at in range(0, len(head), 4_000):
            sock.sendall(head[at : at + 4_000])
    except OSError:
        pass  # the gateway has closed already
    assert answer(sock)[:13] in (b"HTTP/1.1 431 ", b"")  # or reset, because more was on its way
    assert honest(site, token) == 204


def test_what_is_not_http_is_refused(site, token):
    """And the next connection is served."""
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00" * 40, b"hello\r\n\r\n", b"\0" * 1_000):
        sock = connect(site)
        sock.sendall(garbage)
        assert answer(sock).startswith(b"HTTP/1.1 400 ")
    assert honest(site, token) == 204


def test_a_body_that_is_declared_too_large_is_refused_before_it_is_sent(site, token):
    """413 while the client waits for 100 Continue."""
    sock = connect(site)
    sock.sendall(post(token, 10**12, "Expect: 100-continue\r\n"))
    assert sock.recv(4096).startswith(b"HTTP/1.1 413 ")


def flood(sock):
    """Chunks until the gateway ends it."""
    for _ in range(100_000):
        sock.sendall(b"10000\r\n" + b"a" * 65_536 + b"\r\n")


def test_an_endless_body_is_cut(site, token):
    """Chunked, so nobody knows its length: 413, and the connection ends."""
    sock = connect(site)
    head = post(token, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    sock.sendall(head)
    before = usage(site.gateway.program.process.pid).rss_mb
    with pytest.raises(OSError):  # reset, or a broken pipe
        flood(sock)
    assert usage(site.gateway.program.process.pid).rss_mb - before < 64
    assert honest(site, token) == 204


def test_bombs_are_refused_in_bounded_memory(site, token):
    """A gigabyte in a megabyte, from many at once."""
    bomb = gzip.compress(b" " * 256 * MIB, 9)
    before = usage(site.gateway.program.process.pid).peak_mb
    statuses = []

    def send():
        statuses.append(
            site.write(token, bomb, Headrace_Device="pump-1", Content_Encoding="gzip").status
        )

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {413}
    assert usage(site.gateway.program.process.pid).peak_mb - before < 150


def test_idle_connections_do_not_keep_others_out(site, token):
    """More than there may be: refused with 503, and given up after the time for headers."""
    socks = [connect(site) for _ in range(HTTP_MAX_CONNECTIONS + 20)]
    wait_until(lambda: honest(site, token) == 204, HTTP_HEAD_S + 10, "the idle ones are given up")
    for sock in socks:
        sock.close()


def test_wrong_tokens_do_not_slow_the_others(site, token):
    """A storm of guesses: 401 each, and an honest device is served meanwhile."""
    stop = threading.Event()
    statuses = set()

    def guess():
        while not stop.is_set():
            statuses.add(site.write("hrt_" + "x" * 43, LINE * 1_000).status)

    threads = [threading.Thread(target=guess) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        began = time.monotonic()
        assert [honest(site, token) for _ in range(20)] == [204] * 20
        assert time.monotonic() - began < 10
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses == {401}


def test_a_client_that_goes_away_in_mid_request_leaves_nothing(site, token):
    """No half of a body is journalled, and its memory is given back."""
    before = len(site.rows())
    for _ in range(50):
        sock = connect(site)
        sock.sendall(post(token, 8 * MIB) + LINE * 1_000)
        sock.close()
    assert honest(site, token) == 204
    assert len(site.rows()) == before + 1


def test_a_journal_that_is_full_says_so_and_loses_nothing(tmp_path):
    """503 with Retry-After, nothing acknowledged that is not on disk."""
    with http_site(tmp_path, journal="max_bytes = 16777216") as site:
        token = site.token()
        bodies = 0
        last = None
        for number in range(60):
            body = "".join(
                f'log,n={number} text="{row:04d}{"x" * 900}" {1_790_000_000 + row}\n'
                for row in range(1_000)
            ).encode()
            last = site.write(token, body, "/write?precision=s", Idempotency_Key=str(number))
            if last.status != 204:
                break
            bodies += 1
        assert last is not None
        assert last.status == 503
        assert int(last.headers["retry-after"]) > 0
        assert len(site.rows()) == bodies
        health = site.request("GET", "/health")
        assert (health.status, json.loads(health.body)["status"]) == (503, "fail")
