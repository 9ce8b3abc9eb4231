"""MQTT over WebSocket at the embedded broker: paho and raw frames, plain and with TLS."""

from __future__ import annotations

import os
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from websockets.utils import apply_mask

from gateway.broker.passwords import new_password, write_user
from headrace.limits.wire import MAX_PAYLOAD_BYTES
from tests.batches import payload
from tests.enrolment import TOPICS, Client, make_site, tls_context
from tests.faults.attacker import (
    connect_packet,
    is_ended,
    packet,
    publish_packet,
    subscribe_packet,
    wait_for,
)
from tests.programs import Programs, make_gateway
from tests.servers import free_port, wait_until

STREAM = "0123456789abcdef"
DENIED = "headrace_gateway_denied_connections_total"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("websocket")


@pytest.fixture(scope="module")
def word() -> str:
    return new_password()


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def gateway(folder, word, port):
    """Plain, with users."""
    write_user(folder / "users", "pump-1", word)
    programs = Programs(folder)
    broker = f"""auth = "password"
password_file = "{folder / "users"}"
[broker.websocket]
port = {port}
origins = ["https://dash.example"]"""
    made = make_gateway(programs, broker=broker)
    made.start()
    made.wait_ready()
    yield made
    programs.close()


@pytest.fixture
def connect(gateway, port, word):
    made: list[Client] = []

    def make(user: str = "pump-1", password: str = "", **more) -> Client:
        more.setdefault("client_id", "ws")
        pair = (user, password or word)
        made.append(Client(port=port, user=pair, transport="websockets", **more))
        return made[-1].connect()

    yield make
    for client in made:
        client.close()


def test_a_device_delivers_and_hears_its_acks(connect):
    """With paho."""
    client = connect()
    client.subscribe(TOPICS.ack("pump-1"), TOPICS.nack("pump-1"))
    client.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 1, 100))
    wait_until(lambda: client.heard, 10, "the ack")


def test_a_payload_over_the_bound_ends_the_connection(connect, gateway):
    """As over TCP, before it is read."""
    client = connect()
    client.publish(TOPICS.data("pump-1", "xml"), bytes(MAX_PAYLOAD_BYTES + 5_000))
    wait_until(client.down.is_set, 20, "put out")
    assert gateway.metric(f'{DENIED}{{reason="too_large"}}') == 1


def test_users_and_their_topics_are_the_same_as_over_tcp(connect):
    """Passwords, subscriptions, last wills."""
    assert "ot authorized" in connect(password="wrong").refused
    assert "ot authorized" in connect(will=TOPICS.state("pump-2")).refused
    client = connect()
    assert all(code.is_failure for code in client.subscribe("#", TOPICS.ack("pump-2")))


def shake(port: int, *lines: str, protocol: str = "mqtt") -> socket.socket:
    """A handshake by hand; what is answered stays to be read."""
    made = socket.create_connection(("127.0.0.1", port), 10)
    request = [
        "GET /mqtt HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13", *lines,
    ]  # fmt: skip
    if protocol:
        request.append(f"Sec-WebSocket-Protocol: {protocol}")
    made.sendall("\r\n".join([*request, "", ""]).encode())
    return made


def answer(made: socket.socket) -> bytes:
    with made:
        made.settimeout(10)
        return made.recv(4096)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], b"101"),
        (["Origin: https://dash.example"], b"101"),
        (["Origin: https://evil.example"], b"403"),
        (["Origin: http://127.0.0.1:1"], b"403"),
        (["Origin: null"], b"403"),
    ],
)
def test_pages_of_other_sites_do_not_come_in(gateway, port, lines, status):
    """A browser would lend them its user's network and certificate."""
    assert answer(shake(port, *lines))[9:12] == status


def test_a_name_that_a_page_has_chosen_is_not_this_listeners_own(gateway, port):
    """DNS rebinding: without TLS, a name may have been made to point here."""
    with socket.create_connection(("127.0.0.1", port), 10) as made:
        made.sendall(
            b"GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        )
        assert made.recv(100)[9:12] == b"403"


def test_what_is_no_mqtt_over_websocket_is_refused(gateway, port):
    """Other protocols, plain HTTP, MQTT without a handshake, a request without end."""
    assert answer(shake(port, protocol="chat"))[9:12] == b"400"
    assert answer(shake(port, protocol=""))[9:12] == b"400"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
    for data in (connect_packet("x") + b"\r\n\r\n", b"GET /" + b"a" * 200_000):
        made = socket.create_connection(("127.0.0.1", port), 10)
        made.sendall(data)
        assert is_ended(made)


def frame(first: int, data: bytes, *, claim: int | None = None, mask: bool = True) -> bytes:
    length = len(data) if claim is None else claim
    size = bytes([length]) if length < 126 else b"\x7f" + length.to_bytes(8)
    size = bytes([size[0] | (0x80 if mask else 0)]) + size[1:]
    key = b"\1\2\3\4" if mask else b""
    return bytes([first]) + size + key + (apply_mask(data, key) if mask else data)


def test_the_largest_payload_comes_through(gateway, port, word):
    """In one frame, which is never in memory as a whole beside its packet. (paho 2.2 stalls at it.)"""
    made = shake(port)
    made.sendall(frame(0x82, connect_packet("raw", user="pump-1", password=word)))
    made.sendall(frame(0x82, subscribe_packet(TOPICS.nack("pump-1"))))
    data = publish_packet(TOPICS.data("pump-1", "xml"), os.urandom(MAX_PAYLOAD_BYTES), qos=1)
    made.sendall(frame(0x82, data))
    wait_for(made, b"unknown_format")
    made.close()


@pytest.mark.parametrize(
    "data",
    [
        frame(0x82, packet(0xC0), mask=False),
        frame(0xC2, packet(0xC0)),
        frame(0x81, b"text"),
        frame(0x83, b""),
        frame(0x89, b"x" * 200),
        frame(0x09, b"ping in pieces"),
        frame(0x82, packet(0x30, claim=200_000_000), claim=1 << 40),
        frame(0x88, b"\3\xe8"),
    ],
)
def test_a_frame_that_breaks_the_rules_ends_the_connection(gateway, port, word, data):
    """After a proper beginning, in which the packets come byte by byte and with a ping between."""
    made = shake(port)
    hello = connect_packet("raw", user="pump-1", password=word)
    for each in hello[:-1]:
        made.sendall(frame(0x82 if each == hello[0] else 0x80, bytes([each])))
    made.sendall(frame(0x89, b"are you there") + frame(0x80, hello[-1:]))
    made.settimeout(10)
    heard = b""
    while b"\x20\x02\x00\x00" not in heard:
        more = made.recv(4096)
        assert more
        heard += more
    assert b"\x8a\x0dare you there" in heard
    made.sendall(data)
    assert is_ended(made)
    assert gateway.is_ready()


def test_certificates_are_asked_for_over_websocket_too(programs, tmp_path):
    """Mutual TLS, and each device its own topics."""
    port = free_port()
    site = make_site(programs, broker=f"[broker.websocket]\nport = {port}")
    site.gateway.start()
    site.gateway.wait_ready()
    mine = site.enrol("pump-1", tmp_path)
    client = Client(
        "ws", port, tls_context(mine / "ca.crt", mine), transport="websockets"
    ).connect()
    codes = client.subscribe(TOPICS.ack("pump-1"), TOPICS.ack("pump-2"))
    assert [code.is_failure for code in codes] == [False, True]
    client.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 1, 50))
    wait_until(lambda: client.heard, 10, "the ack")
    client.close()
    nobody = Client("ws", port, tls_context(mine / "ca.crt"), transport="websockets").connect()
    assert nobody.refused
    context = ssl.create_default_context(cafile=str(mine / "ca.crt"))
    context.load_cert_chain(mine / "device.crt", mine / "device.key")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"https://127.0.0.1:{port}/", timeout=10, context=context)
