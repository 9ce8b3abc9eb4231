"""The bytes of one connection: bare here, out of WebSocket frames in ``websocket``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

#: How reading ends when a client goes, by the network or by itself.
GONE: Final = (OSError, EOFError)


class Stream(Protocol):
    """What ``turnstile`` reads and writes."""

    async def readexactly(self, n: int) -> bytes:
        """So many bytes.

        Raises:
            EOFError, OSError: they do not come any more.
            BadPacket: what frames them is broken.
        """
        ...

    def write(self, data: bytes) -> None:
        """Send, without waiting."""
        ...

    async def drain(self) -> None:
        """Wait until the other side has read most of what was sent."""
        ...

    @property
    def transport(self) -> asyncio.WriteTransport: ...


@dataclass(frozen=True, slots=True)
class BareStream:
    """TCP or TLS."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def readexactly(self, n: int) -> bytes:
        return await self.reader.readexactly(n)

    def write(self, data: bytes) -> None:
        if not self.writer.transport.is_closing():
            self.writer.write(data)

    async def drain(self) -> None:
        await self.writer.drain()

    @property
    def transport(self) -> asyncio.WriteTransport:
        return self.writer.transport
