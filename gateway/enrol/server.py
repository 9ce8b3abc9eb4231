"""The enrolment endpoint: a small HTTPS listener of its own.

It is apart from the console, which has no login and stays on this machine, while this one must be
reached by devices that nobody trusts yet. So it can do three things and no more: one request a
connection, a few kilobytes, a few seconds, a few connections at once. h11 parses; the desk decides, in
a thread, because hashing a code takes a while on purpose.

The client certificate is optional in the handshake: a device that enrols has none, one that
renews has one. What TLS lets through was signed by our CA; whether it is revoked, the desk says.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Final, TypeVar

import h11
import msgspec
from cryptography import x509

from gateway.enrol.config import EnrolConfig
from gateway.enrol.desk import Desk
from headrace.errors import EnrolmentError, HeadraceError, TransportError
from headrace.limits.enrolment import (
    ENROL_MAX_BODY_BYTES,
    ENROL_MAX_CONNECTIONS,
    ENROL_MAX_HEAD_BYTES,
    ENROL_TIMEOUT_S,
)
from headrace.pki.messages import (
    ENROL_PATH,
    RENEW_PATH,
    SITE_PATH,
    Application,
    Refusal,
    Renewal,
)

logger = logging.getLogger(__name__)
T = TypeVar("T")

_STATUS: Final = {
    "bad_request": 400,
    "bad_code": 403,
    "revoked": 403,
    "taken": 409,
    "wrong_device": 409,
    "too_many": 429,
}
_READ_BYTES: Final = 4096


class EnrolServer:
    """Listens while the gateway runs."""

    def __init__(self, config: EnrolConfig, desk: Desk, context: ssl.SSLContext) -> None:
        self._config = config
        self._desk = desk
        self._context = context
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Listen.

        Raises:
            TransportError: the port is taken.
        """
        config = self._config
        try:
            self._server = await asyncio.start_server(
                self._serve, config.host, config.port, ssl=self._context,
                ssl_handshake_timeout=ENROL_TIMEOUT_S, limit=ENROL_MAX_BODY_BYTES,
            )  # fmt: skip
        except OSError as error:
            raise TransportError(
                f"cannot listen for enrolment on {config.host}:{config.port}: {error}",
                hint="set enrol.port",
            ) from error
        logger.info("enrolment at https://%s:%d", config.host, config.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= ENROL_MAX_CONNECTIONS:
                async with asyncio.timeout(ENROL_TIMEOUT_S):
                    await self._exchange(reader, writer)
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            logger.debug("enrolment connection given up: %s", error)
        finally:
            self._open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=ENROL_MAX_HEAD_BYTES)
        try:
            request, body = await _read_request(connection, reader)
            status, answer = await self._answer(request, body, writer)
        except EnrolmentError as error:
            status = _STATUS[error.reason]
            answer = Refusal(error.reason, error.message, error.hint)
        payload = msgspec.json.encode(answer)
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(payload))),
            ("connection", "close"),
        ]
        writer.write(connection.send(h11.Response(status_code=status, headers=headers)) or b"")
        writer.write(connection.send(h11.Data(data=payload)) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()

    async def _answer(
        self, request: h11.Request, body: bytes, writer: asyncio.StreamWriter
    ) -> tuple[int, msgspec.Struct]:
        source = str(writer.get_extra_info("peername")[0])
        try:
            match request.method, request.target.split(b"?")[0].decode("ascii", "replace"):
                case b"GET", path if path == SITE_PATH:
                    return 200, self._desk.site()
                case b"POST", path if path == ENROL_PATH:
                    application = _decode(body, Application)
                    return 200, await asyncio.to_thread(self._desk.enrol, application, source)
                case b"POST", path if path == RENEW_PATH:
                    renewal, peer = _decode(body, Renewal), _peer(writer)
                    return 200, await asyncio.to_thread(self._desk.renew, renewal, peer, source)
                case _:
                    return 404, Refusal("bad_request", "there is nothing here")
        except EnrolmentError:
            raise
        except HeadraceError as error:
            # The registry's disk, not the device's fault: it may ask again with the same code.
            logger.error("enrolment of %s failed: %s", source, error)
            return 503, Refusal("bad_request", "the gateway cannot write", "look at its log")


async def _read_request(
    connection: h11.Connection, reader: asyncio.StreamReader
) -> tuple[h11.Request, bytes]:
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > ENROL_MAX_BODY_BYTES:
                raise EnrolmentError("bad_request", f"more than {ENROL_MAX_BODY_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, bytes(body)
        else:
            raise ConnectionError("the connection ended in mid-request")


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EnrolmentError("bad_request", f"not a request: {error}") from error


def _peer(writer: asyncio.StreamWriter) -> x509.Certificate:
    """The certificate that the client has shown."""
    tls = writer.get_extra_info("ssl_object")
    shown = tls.getpeercert(binary_form=True)
    if shown is None:
        raise EnrolmentError(
            "bad_request", "renewal needs the device's certificate in the TLS handshake"
        )
    return x509.load_der_x509_certificate(shown)
