"""Whether a broker that does not answer MQTT 5 answers MQTT 3.1.1.

Some brokers misread a CONNECT of version 5 and wait for the rest of it for ever (amqtt), or hang up. So
does a proxy whose broker is just away, and that must not end in the older protocol for good. So who
says nothing is asked in the older one.
"""

from __future__ import annotations

import asyncio
import ssl

from headrace.limits.broker import BROKER_CONNECT_TIMEOUT_S

_DISCONNECT = b"\xe0\x00"


async def speaks_old(
    host: str, port: int, tls: ssl.SSLContext | None, client_id: str, username: str, password: bytes | None
) -> bool:  # fmt: skip
    """Whether it answers CONNECT of MQTT 3.1.1, with yes or no."""
    try:
        async with asyncio.timeout(BROKER_CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
            try:
                writer.write(_connect(client_id, username, password))
                answer = await reader.readexactly(4)
                writer.write(_DISCONNECT)
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        return False
    return answer[:2] == b"\x20\x02" and answer[3] != 1


def _connect(client_id: str, username: str, password: bytes | None) -> bytes:
    """For the session that the gateway has, or will have, there: a clean one would end it, and throw away
    what the broker has kept for a gateway that was away.
    """
    flags = (0x80 if username else 0) | (0x40 if username and password is not None else 0)
    body = _string(b"MQTT") + bytes([4, flags, 0, 30]) + _string(client_id.encode())
    if username:
        body += _string(username.encode())
        if password is not None:
            body += _string(password)
    length, left = bytearray(), len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        length.append(digit | (0x80 if left else 0))
        if not left:
            return b"\x10" + bytes(length) + body


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2) + text
