"""The door of the embedded broker: in front of amqtt, wherever clients must say who they are.

amqtt cannot do this part safely by itself (read in 0.12.1): its listener lets clients without a
certificate in; it looks up the session by client id *before* it asks who the client is, so a
stranger with somebody's client id gets that session and the certificate that is noted in it; and it
publishes last wills without asking its topic plugins. So connections are accepted here and handed over
(its "external" listener) only when

- with certificates, the handshake has proved one of our CA (required, not optional), for a client;
- the CONNECT packet came in time;
- the keeper knows the certificate, or user and password, and they are good;
- the last will, if there is one, is on a topic of the client's own.

The CONNECT is handed over with the name as user and as prefix of the client id: two
devices can never share a session. When a guest is not welcome any more, his connections are cut.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Final

from amqtt.adapters import ReaderAdapter, StreamReaderAdapter, StreamWriterAdapter
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket

from gateway.broker.auth import TopicAccess
from gateway.broker.keepers import Guest, Keeper, Refused
from headrace.limits import BROKER_CONNECT_TIMEOUT_S, REVOCATION_POLL_S
from headrace.logs import FirstTimes
from headrace.metrics import Metrics

logger = logging.getLogger(__name__)

_BROKEN: Final = (OSError, TimeoutError, AMQTTError, MQTTError, NoDataError, ValueError, EOFError)
#: CONNACK with return code 5, so that the other side's log says why.
_NOT_AUTHORIZED: Final = bytes([0x20, 2, 0, 5])
HandOver = Callable[[ReaderAdapter, StreamWriterAdapter], Awaitable[None]]


class Door:
    """Accepts connections and hands those over that may come in."""

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None,
        keeper: Keeper,
        access: TopicAccess,
        metrics: Metrics,
        hand_over: HandOver,
    ) -> None:
        self._context = context
        self._keeper = keeper
        self._access = access
        self._metrics = metrics
        self._hand_over = hand_over
        self._refusals = FirstTimes(logger)
        self._inside: dict[asyncio.StreamWriter, Guest] = {}
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        self._server = await asyncio.start_server(
            self._arrive, host, port, ssl=self._context,
            ssl_handshake_timeout=BROKER_CONNECT_TIMEOUT_S if self._context else None,
        )  # fmt: skip
        self._watch = asyncio.create_task(self._watch_revocations(), name="broker-door")

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _arrive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = (writer.get_extra_info("peername") or ("?",))[0]
        try:
            packet = await self._read_connect(reader)
            guest = await self._keeper.identify(writer.get_extra_info("ssl_object"), packet)
            greeting = self._introduce(packet, guest)
        except Refused as refused:
            self._metrics.count("denied_connections", reason=refused.reason)
            self._refusals.warn(f"refused a client from {source}: {refused}")
            writer.write(_NOT_AUTHORIZED)
            writer.close()
            return
        except _BROKEN as error:
            logger.info("a client from %s left before it said who it is: %r", source, error)
            writer.close()
            return
        self._inside[writer] = guest
        try:
            await self._hand_over(_Rewound(greeting, reader), StreamWriterAdapter(writer))
        finally:
            del self._inside[writer]

    async def _read_connect(self, reader: asyncio.StreamReader) -> ConnectPacket:
        async with asyncio.timeout(BROKER_CONNECT_TIMEOUT_S):
            return await ConnectPacket.from_stream(StreamReaderAdapter(reader))

    def _introduce(self, packet: ConnectPacket, guest: Guest) -> bytes:
        """The CONNECT packet as amqtt gets it."""
        if packet.will_flag and not self._access.may_publish(guest.name, packet.will_topic or ""):
            raise Refused("will", f"{guest.name} may not leave a will on {packet.will_topic}")
        packet.client_id = f"{guest.name}/{packet.client_id}"
        packet.username_flag, packet.password_flag = True, False
        packet.username = guest.name
        return bytes(packet.to_bytes())

    async def _watch_revocations(self) -> None:
        while True:
            await asyncio.sleep(REVOCATION_POLL_S)
            if self._keeper.changed():
                self._cut_unwelcome()

    def _cut_unwelcome(self) -> None:
        for writer, guest in list(self._inside.items()):
            refusal = self._keeper.refusal(guest)
            if refusal:
                logger.warning("cut off: %s", refusal)
                self._metrics.count("denied_connections", reason="revoked")
                writer.transport.abort()


class _Rewound(ReaderAdapter):  # type: ignore[misc]
    """A stream whose beginning was read already and is given once more."""

    def __init__(self, beginning: bytes, reader: asyncio.StreamReader) -> None:
        self._beginning: BytesIO | None = BytesIO(beginning)
        self._rest = StreamReaderAdapter(reader)

    async def read(self, n: int = -1) -> bytes:
        if self._beginning is not None:
            found = self._beginning.read(n)
            if found:
                return found
            self._beginning = None
        return bytes(await self._rest.read(n))

    def feed_eof(self) -> None:
        self._rest.feed_eof()
