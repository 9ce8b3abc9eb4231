"""TLS and SASL in front of a Kafka broker that has neither: its listener, and who may come in.

tansu 0.6 cannot be given a key beside its certificate and speaks no SASL mechanism of librdkafka's, so the
gate ends TLS and answers SaslHandshake and SaslAuthenticate itself, as KIP-43 and KIP-152 have it: PLAIN, and
SCRAM as RFC 5802 has it. Everything before and behind is the broker's. A request before
authentication, other than ApiVersions, ends the connection.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from tests.servers import free_port

USER, PASSWORD = "alice", "secret"
_API_VERSIONS, _HANDSHAKE, _AUTHENTICATE = 18, 17, 36
_BAD_MECHANISM, _FAILED = 33, 58
_ITERATIONS: Final = 4096
_HASHES: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


class _Refused(Exception):
    """Not who he says he is."""


class _Scram:
    """The server's side of one exchange; ``answer`` takes the client's messages in turn."""

    def __init__(self, hash_name: str) -> None:
        self._hash = hash_name
        self._salt = secrets.token_bytes(16)
        self._said = ""

    def answer(self, message: str) -> str:
        if not self._said:
            bare = message.removeprefix("n,,")
            fields = dict(part.split("=", 1) for part in bare.split(","))
            if fields["n"] != USER:
                raise _Refused
            salt = base64.b64encode(self._salt).decode()
            first = f"r={fields['r']}{secrets.token_hex(8)},s={salt},i={_ITERATIONS}"
            self._said = f"{bare},{first}"
            return first
        without_proof, _, proof = message.rpartition(",p=")
        return self._verify(f"{self._said},{without_proof}".encode(), base64.b64decode(proof))

    def _verify(self, said: bytes, proof: bytes) -> str:
        salted = hashlib.pbkdf2_hmac(self._hash, PASSWORD.encode(), self._salt, _ITERATIONS)
        client_key = self._mac(salted, b"Client Key")
        stored = hashlib.new(self._hash, client_key).digest()
        signature = self._mac(stored, said)
        if bytes(a ^ b for a, b in zip(client_key, signature, strict=True)) != proof:
            raise _Refused
        server_key = self._mac(salted, b"Server Key")
        return "v=" + base64.b64encode(self._mac(server_key, said)).decode()

    def _mac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._hash)


@dataclass
class _Guest:
    """One connection to the gate, on its way in."""

    near: socket.socket
    far: socket.socket
    mechanism: str = ""
    scram: _Scram | None = None

    def serve(self, *, sasl: bool) -> None:
        """Until either side goes."""
        while sasl:
            request = _frame(self.near)
            key, _version, correlation = struct.unpack(">hhi", request[:8])
            if key == _API_VERSIONS:
                _send(self.far, request)
                _send(self.near, _frame(self.far))
            elif key == _HANDSHAKE:
                _send(self.near, struct.pack(">i", correlation) + self._handshake(_body(request)))
            elif key == _AUTHENTICATE:
                answer, is_over = self._authenticate(_body(request))
                _send(self.near, struct.pack(">i", correlation) + answer)
                sasl = not is_over
            else:
                return
        back = threading.Thread(target=_pump, args=(self.far, self.near), daemon=True)
        back.start()
        _pump(self.near, self.far)

    def _handshake(self, body: bytes) -> bytes:
        self.mechanism = body[2:].decode()
        known = ["PLAIN", *_HASHES]
        error = 0 if self.mechanism in known else _BAD_MECHANISM
        names = b"".join(struct.pack(">h", len(each)) + each.encode() for each in known)
        return struct.pack(">hi", error, len(known)) + names

    def _authenticate(self, body: bytes) -> tuple[bytes, bool]:
        said = body[4:].decode()
        try:
            answer, is_over = self._judge(said)
        except _Refused:
            why = b"invalid credentials"
            return struct.pack(">hh", _FAILED, len(why)) + why + struct.pack(">iq", 0, 0), False
        data = answer.encode()
        return struct.pack(">hhi", 0, -1, len(data)) + data + bytes(8), is_over

    def _judge(self, said: str) -> tuple[str, bool]:
        if self.mechanism == "PLAIN":
            if said.split("\0")[1:] != [USER, PASSWORD]:
                raise _Refused
            return "", True
        is_last = self.scram is not None
        self.scram = self.scram or _Scram(_HASHES[self.mechanism])
        return self.scram.answer(said), is_last


def _body(request: bytes) -> bytes:
    """Behind the header's key, version, correlation id and client id."""
    (length,) = struct.unpack(">h", request[8:10])
    return request[10 + max(0, length) :]


def _frame(sock: socket.socket) -> bytes:
    head = _exactly(sock, 4)
    return _exactly(sock, struct.unpack(">i", head)[0])


def _exactly(sock: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = sock.recv(count - len(found))
        if not more:
            raise ConnectionResetError
        found += more
    return found


def _send(sock: socket.socket, frame: bytes) -> None:
    sock.sendall(struct.pack(">i", len(frame)) + frame)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def gate(
    broker_port: int,
    *,
    context: ssl.SSLContext | None = None,
    sasl: bool = False,
    port: int | None = None,
) -> Iterator[int]:
    """Stand before the broker while the block lasts; gives the port.

    Args:
        context: for TLS.
        sasl: let in only who authenticates as ``USER`` with ``PASSWORD``.
    """
    listener = socket.create_server(("127.0.0.1", port or free_port()))
    open_ones: list[socket.socket] = []

    def welcome(raw: socket.socket) -> None:
        with suppress(OSError, ValueError, KeyError):
            near = context.wrap_socket(raw, server_side=True) if context else raw
            far = socket.create_connection(("127.0.0.1", broker_port))
            open_ones.extend((near, far))
            with near, far:
                _Guest(near, far).serve(sasl=sasl)

    def accept() -> None:
        with suppress(OSError):  # closed: that is the end
            while True:
                raw, _ = listener.accept()
                threading.Thread(target=welcome, args=(raw,), daemon=True).start()

    threading.Thread(target=accept, name="kafka-gate", daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in open_ones:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
