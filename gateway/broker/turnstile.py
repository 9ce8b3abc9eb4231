"""One packet at a time, from a client into amqtt, and what amqtt has for the client out again.

amqtt reads on whatever becomes of what it has read: its queue of messages per client grows while the
journal is behind, an answer waits for ever for a client that does not read, and a client that has
gone without a word stays (all read in 0.12.1). The turnstile lets the next packet through only when

- the messages of this client that amqtt has and has not yet handed to us are few, and their bytes
  have room in what all clients share;
- the client reads its answers.

Else TCP holds the client up. It also ends a connection that breaks the rules (``packets``), begins a
packet and does not end it, or is silent for longer than it promised; amqtt sees an end of file then.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from amqtt.adapters import ReaderAdapter, WriterAdapter

from gateway.broker.budget import Budget
from gateway.broker.packets import (
    ANSWERS,
    CONNECT,
    PUBLISH,
    SUBSCRIBE,
    UNSUBSCRIBE,
    BadPacket,
    Header,
    check_body,
    check_connect_size,
    check_header,
    check_topic,
    check_topic_size,
)
from gateway.broker.streams import GONE, Stream
from headrace.limits.broker import (
    BROKER_MAX_QOS2,
    BROKER_MAX_QUEUED,
    BROKER_MAX_UNSENT_BYTES,
    BROKER_PACKET_TIMEOUT_S,
    BROKER_SLOW_READER_S,
)


async def read_connect(stream: Stream) -> bytes:
    """The first packet of a connection, whole and well formed."""
    header = await _header(stream, (await stream.readexactly(1))[0])
    check_connect_size(header)
    body = await stream.readexactly(header.length)
    check_body(header, body)
    return header.raw + body


class Outlet(WriterAdapter):  # type: ignore[misc]
    """amqtt's writer of one connection. It never waits: the turnstile does, before it lets more in,
    and messages for a client that is behind are not even begun (``plugins.Gate``)."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        #: Answers that the client owes, at most.
        self.owed = 0

    def write(self, data: bytes) -> None:
        if data[0] >> 4 == PUBLISH:
            self.owed += data[0] >> 1 & 3
        self._stream.write(bytes(data))

    async def drain(self) -> None:
        if self._stream.transport.is_closing():
            raise ConnectionResetError("the client is gone")

    def get_peer_info(self) -> tuple[str, int]:
        peer = self._stream.transport.get_extra_info("peername")
        return (str(peer[0]), int(peer[1])) if peer else ("gone", 0)

    def get_ssl_info(self) -> ssl.SSLObject | None:
        found: ssl.SSLObject | None = self._stream.transport.get_extra_info("ssl_object")
        return found

    async def close(self) -> None:
        self._stream.transport.close()


class Turnstile(ReaderAdapter):  # type: ignore[misc]
    """amqtt's reader of one connection.

    Args:
        greeting: the CONNECT as amqtt gets it.
        idle_s: silence after which the client is gone; None when it promised nothing.
        budget: bytes of messages on their way from all clients to the inbox; ``unreleased``: of those
            with QoS 2 that wait for their PUBREL.
        refused: told once why a client is put out.
    """

    def __init__(
        self,
        stream: Stream,
        greeting: bytes,
        *,
        outlet: Outlet,
        idle_s: float | None,
        budget: Budget,
        unreleased: Budget,
        refused: Callable[[BadPacket], None],
    ) -> None:
        self._stream = stream
        self._packet, self._at = greeting, 0
        self._outlet = outlet
        self._idle_s = idle_s
        self._budget, self._held = budget, 0
        self._unreleased, self._held_2, self._waiting_2 = unreleased, 0, 0
        self._refused = refused
        self._queued = 0
        self._fewer = asyncio.Event()
        self._over = self._closed = False

    @property
    def behind(self) -> bool:
        """Whether the client leaves so much unread that it gets no more."""
        return self._stream.transport.get_write_buffer_size() > BROKER_MAX_UNSENT_BYTES

    def routed(self, size: int, qos: int) -> None:
        """amqtt has handed a message of this client on."""
        if self._closed:
            return  # what it held has been given back
        if qos == 2:
            self._waiting_2 -= 1
            self._held_2 -= size
            self._unreleased.give(size)
        else:
            self._held -= size
            self._budget.give(size)
            self.answered()

    def answered(self) -> None:
        """amqtt is through with a packet that waited in a queue of its own."""
        self._queued -= 1
        self._fewer.set()

    def close(self) -> None:
        """The connection is over: what it held of the budgets is free."""
        self._over = self._closed = True
        self._budget.give(self._held)
        self._unreleased.give(self._held_2)
        self._held = self._held_2 = 0

    async def read(self, n: int = -1) -> bytes:
        """``n`` bytes of the current packet; of the next one when that is used up; none at the end."""
        if self._at == len(self._packet) and not self._over:
            self._packet, self._at = await self._next(), 0
        found = self._packet[self._at : self._at + n]
        self._at += len(found)
        return found

    def feed_eof(self) -> None:
        self._over = True
        self._fewer.set()

    async def _next(self) -> bytes:
        """The next packet; nothing when the connection is to end."""
        try:
            # What has arrived already is read without a wait: one client would keep all others waiting.
            await asyncio.sleep(0)
            await self._ready()
            async with asyncio.timeout(self._idle_s):
                first = (await self._stream.readexactly(1))[0]
            async with asyncio.timeout(BROKER_PACKET_TIMEOUT_S):
                return await self._rest(first)
        except BadPacket as bad:
            self._refused(bad)
        except TimeoutError:
            self._refused(
                BadPacket("timeout", "silent for longer than it promised, or in mid-packet")
            )
        except GONE:
            pass
        self._over = True
        return b""

    async def _ready(self) -> None:
        try:
            async with asyncio.timeout(BROKER_SLOW_READER_S):
                await self._stream.drain()
        except TimeoutError:
            raise BadPacket("slow_reader", "it does not read what it is sent") from None
        while self._queued >= BROKER_MAX_QUEUED and not self._over:
            self._fewer.clear()
            await self._fewer.wait()

    async def _rest(self, first: int) -> bytes:
        header = await _header(self._stream, first)
        check_header(header)
        if header.kind == PUBLISH:
            return await self._publish(header)
        if header.kind == CONNECT:
            raise BadPacket("protocol", "a second CONNECT")
        body = await self._stream.readexactly(header.length)
        check_body(header, body)
        if header.kind in (SUBSCRIBE, UNSUBSCRIBE):
            self._queued += 1
        elif header.kind in ANSWERS:
            self._outlet.owed -= 1
            if self._outlet.owed < 0:
                # amqtt warns of each, and a log is a disk.
                raise BadPacket("protocol", "it acknowledges what it was not sent")
        return header.raw + body

    async def _publish(self, header: Header) -> bytes:
        """The topic is looked at, and there is room, before the payload is read."""
        size = await self._stream.readexactly(2)
        length = int.from_bytes(size)
        left = header.length - 2 - length
        if left < (2 if header.qos else 0):
            raise BadPacket("protocol", "a packet that is shorter than its fields")
        check_topic_size(length)
        topic = await self._stream.readexactly(length)
        check_topic(topic)
        head, payload = b"", left
        if header.qos:
            head, payload = await self._stream.readexactly(2), left - 2
            if head == b"\0\0":
                raise BadPacket("protocol", "a packet id of 0")
        await self._make_room(payload, header.qos)
        body = await self._stream.readexactly(payload)
        return b"".join((header.raw, size, topic, head, body))

    async def _make_room(self, size: int, qos: int) -> None:
        if qos < 2:
            await self._budget.take(size)
            self._held += size
            self._queued += 1
        elif self._waiting_2 < BROKER_MAX_QOS2 and self._unreleased.try_take(size):
            self._held_2 += size
            self._waiting_2 += 1
        else:
            raise BadPacket("qos2", "too much with QoS 2 that it has not released")


async def _header(stream: Stream, first: int) -> Header:
    length = 0
    for place in range(4):
        digit = (await stream.readexactly(1))[0]
        length |= (digit & 0x7F) << 7 * place
        if digit < 0x80:
            return Header(first, length)
    raise BadPacket("protocol", "a length of more than four bytes")
