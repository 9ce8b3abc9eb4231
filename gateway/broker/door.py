"""The door of the embedded broker: mutual TLS, in front of amqtt.

amqtt cannot do this part safely by itself (read in 0.12.1): its listener lets clients without a
certificate in; it looks up the session by client id *before* it asks who the client is, so a
stranger with somebody's client id gets that session and the certificate that is noted in it; and it
publishes last wills without asking its topic plugins. So connections are accepted here and handed over
(its "external" listener) only when

- the handshake has proved a certificate of our CA (required, not optional), for a client;
- the registry knows the certificate and it is not revoked;
- the CONNECT packet came in time, and its last will, if it has one, is on a topic of the device's own.

The CONNECT is handed over with the certificate's name as user and as prefix of the client id: two
devices can never share a session. When a certificate is revoked, its connections are cut.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from amqtt.adapters import ReaderAdapter, StreamReaderAdapter, StreamWriterAdapter
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.broker.auth import Admission, TopicAccess
from headrace.limits import BROKER_CONNECT_TIMEOUT_S, REVOCATION_POLL_S
from headrace.logs import FirstTimes
from headrace.metrics import Metrics
from headrace.pki.names import OWN_NAMES

logger = logging.getLogger(__name__)

_BROKEN: Final = (OSError, TimeoutError, AMQTTError, MQTTError, NoDataError, ValueError, EOFError)
#: CONNACK with return code 5, so that the other side's log says why.
_NOT_AUTHORIZED: Final = bytes([0x20, 2, 0, 5])
HandOver = Callable[[ReaderAdapter, StreamWriterAdapter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Guest:
    """Whose certificate a connection has shown."""

    name: str
    serial: int


class _Refused(Exception):
    """This client does not come in; the reason is for the log, the client learns "not authorized"."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Door:
    """Accepts connections and hands those over that may come in."""

    def __init__(
        self,
        *,
        context: ssl.SSLContext,
        admission: Admission,
        access: TopicAccess,
        metrics: Metrics,
        hand_over: HandOver,
    ) -> None:
        self._context = context
        self._admission = admission
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
            ssl_handshake_timeout=BROKER_CONNECT_TIMEOUT_S,
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
            guest = self._identify(writer)
            greeting = self._introduce(packet, guest)
        except _Refused as refused:
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

    def _identify(self, writer: asyncio.StreamWriter) -> Guest:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if shown is None:
            raise _Refused("certificate", "it has shown no certificate")
        certificate = x509.load_der_x509_certificate(shown)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        guest = Guest(str(names[0].value) if names else "", certificate.serial_number)
        if guest.name in OWN_NAMES:
            return guest
        refusal = self._admission.refusal(guest.name, guest.serial)
        if refusal:
            raise _Refused("certificate", refusal)
        return guest

    async def _read_connect(self, reader: asyncio.StreamReader) -> ConnectPacket:
        async with asyncio.timeout(BROKER_CONNECT_TIMEOUT_S):
            return await ConnectPacket.from_stream(StreamReaderAdapter(reader))

    def _introduce(self, packet: ConnectPacket, guest: Guest) -> bytes:
        """The CONNECT packet as amqtt gets it."""
        if packet.will_flag and not self._access.may_publish(guest.name, packet.will_topic or ""):
            raise _Refused("will", f"{guest.name} may not leave a will on {packet.will_topic}")
        packet.client_id = f"{guest.name}/{packet.client_id}"
        packet.username_flag, packet.password_flag = True, False
        packet.username = guest.name
        return bytes(packet.to_bytes())

    async def _watch_revocations(self) -> None:
        while True:
            await asyncio.sleep(REVOCATION_POLL_S)
            if self._admission.changed():
                self._cut_revoked()

    def _cut_revoked(self) -> None:
        for writer, guest in list(self._inside.items()):
            if guest.name in OWN_NAMES:
                continue
            refusal = self._admission.refusal(guest.name, guest.serial)
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
