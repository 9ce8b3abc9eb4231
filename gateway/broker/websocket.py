"""MQTT over WebSocket: the bytes inside the frames of one connection, as a stream.

The handshake is the library's. The frames are read here, because every ready-made connection first
collects a whole message (an MQTT packet of 8 MiB, from anybody) before it gives any of it: so the
turnstile could not judge size and topic before the payload is in memory. MQTT minds no frame borders
(MQTT 3.1.1, 6): what binary frames hold is one stream of bytes.

A browser sends the certificate or the network position of its user along with any page's request, so a
page of another site must not connect: an ``Origin`` must be listed, or be this very listener, as paho
says. Without TLS that holds for addresses only: a name may have been made to point here by the page.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlsplit

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol
from websockets.utils import apply_mask

from gateway.broker.config import is_address
from gateway.broker.packets import BadPacket
from gateway.broker.streams import BareStream

_CHUNK: Final = 65_536


async def accept(bare: BareStream, origins: tuple[str, ...]) -> WebSocketStream:
    """The server's side of the handshake.

    Raises:
        BadPacket: no WebSocket for MQTT, or from a page that may not; it has been told.
    """
    protocol = ServerProtocol(subprotocols=[Subprotocol("mqtt")])
    request = await _read_request(protocol, bare.reader)
    if "*" not in origins:
        own = _own_origins(request, tls=bare.transport.get_extra_info("ssl_object") is not None)
        protocol.origins = [None, *map(Origin, (*origins, *own))]
    response = protocol.accept(request)
    protocol.send_response(response)
    bare.write(b"".join(protocol.data_to_send()))
    if response.status_code != 101:
        why = (response.body or b"").decode().strip()
        raise BadPacket("websocket", why or "no WebSocket for MQTT")
    return WebSocketStream(bare)


def _own_origins(request: Request, *, tls: bool) -> tuple[str, ...]:
    hosts = request.headers.get_all("Host")
    try:
        host = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
    except ValueError:
        return ()
    if host is None or not (tls or is_address(host)):
        return ()
    return (f"{'https' if tls else 'http'}://{hosts[0]}",)


async def _read_request(protocol: ServerProtocol, reader: asyncio.StreamReader) -> Request:
    try:
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.LimitOverrunError:
        raise BadPacket("websocket", "a request without end") from None
    for event in protocol.events_received():
        if isinstance(event, Request):
            return event
    raise BadPacket("websocket", "no HTTP request")


class WebSocketStream:
    """What binary frames hold, both ways. Control frames are answered on the way."""

    def __init__(self, bare: BareStream) -> None:
        self._reader = bare.reader
        self._bare = bare
        self._ready = bytearray()
        self._left = 0
        self._mask = b""

    @property
    def transport(self) -> asyncio.WriteTransport:
        return self._bare.transport

    async def readexactly(self, n: int) -> bytes:
        """The next bytes, as ``asyncio.StreamReader`` gives them."""
        ready = self._ready
        while len(ready) < n:
            ready += await self._some(n - len(ready))
        found = bytes(ready[:n])
        del ready[:n]
        return found

    def write(self, data: bytes) -> None:
        self._send(Opcode.BINARY, data)

    async def drain(self) -> None:
        await self._bare.drain()

    async def _some(self, wanted: int) -> bytes:
        """Some bytes of the current binary frame, or of the next."""
        while not self._left:
            await self._next_frame()
        size = min(self._left, _CHUNK, wanted)
        piece = apply_mask(await self._reader.readexactly(size), self._mask)
        self._left -= size
        # The next byte goes on where this piece ended.
        self._mask = self._mask[size % 4 :] + self._mask[: size % 4]
        return piece

    async def _next_frame(self) -> None:
        first, second = await self._reader.readexactly(2)
        opcode, length = first & 0x0F, second & 0x7F
        if first & 0x70 or not second & 0x80:
            raise BadPacket("websocket", "a frame with reserved bits, or without a mask")
        if opcode >= Opcode.CLOSE:
            await self._control(opcode, first, length)
            return
        if opcode not in (Opcode.CONT, Opcode.BINARY):
            raise BadPacket("websocket", "MQTT comes in binary frames")
        if length > 125:
            length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8))
        self._mask = await self._reader.readexactly(4)
        self._left = length

    async def _control(self, opcode: int, first: int, length: int) -> None:
        if length > 125 or not first & 0x80:
            raise BadPacket("websocket", "a control frame that is long or in pieces")
        mask = await self._reader.readexactly(4)
        data = apply_mask(await self._reader.readexactly(length), mask)
        if opcode == Opcode.CLOSE:
            self._send(Opcode.CLOSE, data[:2])
            raise EOFError("closed")
        if opcode == Opcode.PING:
            # Who pings and does not read must not fill our memory with answers.
            await self._bare.drain()
            self._send(Opcode.PONG, data)

    def _send(self, opcode: Opcode, data: bytes) -> None:
        self._bare.write(Frame(opcode, data).serialize(mask=False))
