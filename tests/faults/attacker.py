"""MQTT by hand, from an address of its own: packets that no client library would send."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field

#: Another address of this machine: limits by address are the attacker's own.
ADDRESS = "127.0.0.2"


def string(text: bytes | str) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return len(raw).to_bytes(2) + raw


def packet(first: int, body: bytes = b"", *, claim: int | None = None) -> bytes:
    """A packet; ``claim`` is a length that it says and does not have."""
    left, head = len(body) if claim is None else claim, bytearray([first])
    while True:
        left, digit = left >> 7, left & 0x7F
        head.append(digit | (0x80 if left else 0))
        if not left:
            return bytes(head) + body


def connect_packet(
    client_id: str, *, user: str = "", password: str = "", clean: bool = True, will: str = "",
    keep_alive: int = 60,
) -> bytes:  # fmt: skip
    flags = 2 * clean | (0xC0 if user else 0) | (0x0C if will else 0)
    body = string("MQTT") + bytes([4, flags]) + keep_alive.to_bytes(2) + string(client_id)
    body += string(will) + string("{}") if will else b""
    return packet(0x10, body + (string(user) + string(password) if user else b""))


def publish_packet(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False, number: int = 1) -> bytes:  # fmt: skip
    body = string(topic) + (number.to_bytes(2) if qos else b"") + payload
    return packet(0x30 | qos << 1 | retain, body)


def subscribe_packet(*filters: str, number: int = 1) -> bytes:
    return packet(0x82, number.to_bytes(2) + b"".join(string(each) + b"\1" for each in filters))


@dataclass
class Attacker:
    """Connections to one port, all closed at the end."""

    port: int
    context: ssl.SSLContext | None = None
    sockets: list[socket.socket] = field(default_factory=list)

    def open(self, first: bytes = b"") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), 10, source_address=(ADDRESS, 0))
        if self.context is not None:
            made = self.context.wrap_socket(made, server_hostname="127.0.0.1")
        self.sockets.append(made)
        if first:
            made.sendall(first)
        return made

    def enter(self, client_id: str, user: str = "", password: str = "", **more: object) -> socket.socket:  # fmt: skip
        """Connected and let in."""
        made = self.open(connect_packet(client_id, user=user, password=password, **more))  # type: ignore[arg-type]
        assert made.recv(4) in (b"\x20\x02\x00\x00", b"\x20\x02\x01\x00")
        return made

    def close(self) -> None:
        for each in self.sockets:
            each.close()


def is_ended(connection: socket.socket, within_s: float = 15.0) -> bool:
    """Whether the other side has ended a connection; what it still sends is read."""
    connection.settimeout(within_s)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def send_until_ended(connection: socket.socket, data: bytes, times: int) -> int:
    """Send again and again; how often it went."""
    connection.settimeout(15)
    for sent in range(times):
        try:
            connection.sendall(data)
        except OSError:
            return sent
    return times


def wait_for(connection: socket.socket, text: bytes) -> None:
    """Until that has come."""
    connection.settimeout(10)
    heard = b""
    while text not in heard:
        heard += connection.recv(1000)
