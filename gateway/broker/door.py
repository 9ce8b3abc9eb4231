"""The door of the embedded broker: in front of amqtt, for every client.

amqtt cannot do this part safely by itself (read in 0.12.1): its listener takes connections without end
and lets clients without a certificate in; it looks up the session by client id *before* it asks who the
client is, so a stranger with somebody's client id gets that session and the certificate that is
noted in it; it publishes last wills without asking its topic plugins; and when an id comes a second time, the
older connection stays half alive. So connections are accepted here (``listener``) and handed over (its
"external" listener) only when

- with certificates, the handshake has proved one of our CA (required, not optional), for a client;
- the CONNECT packet came in time, was small and well formed;
- the keeper knows the certificate, or user and password, and they are good;
- the last will, if there is one, is on a topic of the client's own;
- an older connection under the same client id is gone.

The CONNECT is handed over with the name as user and as prefix of the client id: two
devices can never share a session. Silence is watched here (``turnstile``), so amqtt is told of no
keep-alive. When a guest is not welcome any more, his connections are cut.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from amqtt.adapters import BufferReader
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket

from gateway.broker import websocket
from gateway.broker.auth import TopicAccess
from gateway.broker.budget import Budget
from gateway.broker.crowd import Crowd
from gateway.broker.keepers import Guest, Keeper, Refused
from gateway.broker.listener import Caller, Listener
from gateway.broker.packets import BadPacket
from gateway.broker.streams import GONE, Stream
from gateway.broker.takeovers import Takeovers
from gateway.broker.turnstile import Outlet, Turnstile, read_connect
from gateway.clashes import Clash
from headrace.limits.broker import (
    BROKER_CONNECT_TIMEOUT_S,
    BROKER_MAX_UNRELEASED_BYTES,
    BROKER_MAX_UNROUTED_BYTES,
)
from headrace.limits.enrolment import REVOCATION_POLL_S
from headrace.logs import FirstTimes
from headrace.metrics import Metrics

logger = logging.getLogger(__name__)

#: CONNACK with return codes 1 and 5, so that the other side's log says why.
_WRONG_VERSION: Final = bytes([0x20, 2, 0, 1])
_NOT_AUTHORIZED: Final = bytes([0x20, 2, 0, 5])
HandOver = Callable[[Turnstile, Outlet], Awaitable[None]]


@dataclass(slots=True)
class _Inside:
    """A client that came in."""

    guest: Guest
    transport: asyncio.WriteTransport
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Door:
    """Accepts connections and hands those over that may come in.

    Args:
        access: what guests may do; None where everybody may do everything.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None,
        keeper: Keeper,
        access: TopicAccess | None,
        crowd: Crowd,
        metrics: Metrics,
        hand_over: HandOver,
    ) -> None:
        self._context = context
        self._keeper = keeper
        self._access = access
        self._crowd = crowd
        self._metrics = metrics
        self._hand_over = hand_over
        self._refusals = FirstTimes(logger)
        self._budget = Budget(BROKER_MAX_UNROUTED_BYTES)
        self._unreleased = Budget(BROKER_MAX_UNRELEASED_BYTES)
        self._inside: dict[str, _Inside] = {}
        self._takeovers = Takeovers()
        self._listeners: list[Listener] = []
        self._watch: asyncio.Task[None] | None = None

    async def open(
        self, host: str, port: int, *, websocket_origins: tuple[str, ...] | None = None
    ) -> None:
        """Listen, with origins for MQTT over WebSocket; raises OSError when the port is taken."""

        async def serve(caller: Caller) -> None:
            await self._serve(caller, websocket_origins)

        listener = Listener(
            context=self._context, crowd=self._crowd, serve=serve, refused=self._turned_away
        )
        self._listeners.append(listener)
        await listener.open(host, port)
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_revocations(), name="broker-door")

    async def close(self) -> None:
        for listener in self._listeners:
            await listener.close()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    def clashes(self) -> list[Clash]:
        """Client ids that two fight over."""
        return self._takeovers.clashes(asyncio.get_running_loop().time())

    async def _serve(self, caller: Caller, origins: tuple[str, ...] | None) -> None:
        """One connection from its first byte to its end."""
        stream: Stream = caller.stream
        try:
            async with asyncio.timeout(BROKER_CONNECT_TIMEOUT_S):
                if origins is not None:
                    stream = await websocket.accept(caller.stream, origins)
                packet = await ConnectPacket.from_stream(BufferReader(await read_connect(stream)))
                tls = stream.transport.get_extra_info("ssl_object")
                guest = await self._keeper.identify(tls, packet)
            caller.admitted()
            await self._let_in(caller, stream, packet, guest)
        except Refused as refused:
            self._refuse(caller.address, refused.reason, str(refused))
            stream.write(_NOT_AUTHORIZED)
        except BadPacket as bad:
            self._refuse(caller.address, bad.reason, str(bad))
            if bad.reason == "version":
                stream.write(_WRONG_VERSION)
        except TimeoutError:
            self._refuse(caller.address, "timeout", "it did not say who it is in time")
        except GONE as error:
            logger.debug("a client from %s left: %r", caller.address, error)

    async def _let_in(
        self, caller: Caller, stream: Stream, packet: ConnectPacket, guest: Guest
    ) -> None:
        keep_alive = packet.keep_alive
        greeting = self._introduce(packet, guest)
        outlet = Outlet(stream)
        turnstile = Turnstile(
            stream, greeting, outlet=outlet, idle_s=1.5 * keep_alive if keep_alive else None,
            budget=self._budget, unreleased=self._unreleased,
            refused=lambda bad: self._refuse(caller.address, bad.reason, f"{guest.name or packet.client_id}: {bad}"),
        )  # fmt: skip
        inside = await self._alone(str(packet.client_id), guest, stream, caller.address)
        try:
            await self._hand_over(turnstile, outlet)
        except (AMQTTError, MQTTError, NoDataError) as error:
            logger.info("amqtt has ended %s: %r", packet.client_id, error)
        finally:
            turnstile.close()
            inside.gone.set()
            del self._inside[str(packet.client_id)]

    async def _alone(self, client_id: str, guest: Guest, stream: Stream, address: str) -> _Inside:
        """End an older connection of the same client: who comes back has lost the one before."""
        async with asyncio.timeout(BROKER_CONNECT_TIMEOUT_S):
            while (older := self._inside.get(client_id)) is not None:
                self._refuse(client_id, "taken_over", "its client id has come in once more")
                self._takeovers.note(client_id, address, asyncio.get_running_loop().time())
                older.transport.abort()
                await older.gone.wait()
        inside = self._inside[client_id] = _Inside(guest, stream.transport)
        return inside

    def _introduce(self, packet: ConnectPacket, guest: Guest) -> bytes:
        """The CONNECT packet as amqtt gets it."""
        if self._access is not None:
            if packet.will_flag and not self._access.may_publish(
                guest.name, packet.will_topic or ""
            ):
                raise Refused("will", f"{guest.name} may not leave a will on {packet.will_topic}")
            packet.client_id = f"{guest.name}/{packet.client_id}"
        if packet.payload.client_id_is_random and not packet.clean_session_flag:
            raise Refused("session", "it wants a session that lasts and gives no client id")
        packet.username_flag, packet.password_flag = bool(guest.name), False
        packet.username = guest.name
        packet.keep_alive = 0
        return bytes(packet.to_bytes())

    def _turned_away(self, reason: str, address: str) -> None:
        self._refuse(address, reason, _TURNED_AWAY[reason])

    def _refuse(self, who: str, reason: str, text: str) -> None:
        self._metrics.count("denied_connections", reason=reason)
        self._refusals.warn(f"refused a client from {who}: {text}")

    async def _watch_revocations(self) -> None:
        while True:
            await asyncio.sleep(REVOCATION_POLL_S)
            if self._keeper.changed():
                self._cut_unwelcome()

    def _cut_unwelcome(self) -> None:
        for inside in list(self._inside.values()):
            refusal = self._keeper.refusal(inside.guest)
            if refusal:
                logger.warning("cut off: %s", refusal)
                self._metrics.count("denied_connections", reason="revoked")
                inside.transport.abort()


_TURNED_AWAY: Final = {
    "full": "all connections are in use (broker.max_connections)",
    "address": "this address has its share of connections (broker.max_connections_per_address)",
    "rate": "this address connects too often",
    "timeout": "its TLS handshake took too long",
    "tls": "it went away, or its TLS handshake failed",
}
