"""amqtt inside the gateway process: nothing to install, good for a demo and a small site.

Batches are taken by a plugin inside the broker, without a second client. amqtt's limits are worth
knowing (docs/gateway.md): MQTT 3.1.1 only; some 4,000 messages/s; its PUBACK says only that the
message is in its memory, so senders without the ack of the wire contract can lose what was in flight
when the process dies.

Backpressure: amqtt asks ``topic_filtering`` before it routes a message and waits for the answer, one
message at a time per client. So a full inbox makes us answer late; the client's ``turnstile`` sees that its
messages pile up and lets no more in, and TCP does the rest.

amqtt does not listen: ``door`` does, for MQTT and for MQTT over WebSocket, and hands clients over.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amqtt.contexts import Action
from amqtt.errors import AMQTTError

from gateway.broker import plugins
from gateway.broker.auth import TopicAccess
from gateway.broker.config import BrokerConfig, commands_password
from gateway.broker.crowd import Crowd
from gateway.broker.door import Door
from gateway.broker.keepers import Keeper, OpenKeeper, PasswordKeeper
from gateway.broker.listener import room_for
from gateway.broker.reception import Reception
from gateway.clashes import Clash
from gateway.listener_tls import renewed_context
from headrace.errors import TransportError
from headrace.limits.broker import BROKER_MAX_PUBLISHING, BROKER_OFFLINE_S
from headrace.logs import FirstTimes
from headrace.metrics import Metrics

if TYPE_CHECKING:
    from gateway.broker.turnstile import Outlet, Turnstile

logger = logging.getLogger(__name__)

#: Pause between two looks at a full inbox: a commit takes about this long.
_ROOM_POLL_S = 0.002

#: The one listener of amqtt, to which the door hands its connections over.
_LISTENER = "default"


@dataclass(frozen=True, slots=True)
class Guard:
    """The listener's TLS, and who may come in."""

    context: ssl.SSLContext | None
    keeper: Keeper


def password_guard(config: BrokerConfig, data_dir: Path) -> Guard | None:
    """The guard of ``password_file``; None where there is none."""
    if config.password_file is None:
        return None
    keeper = PasswordKeeper(config.password_file, commands_password(data_dir))
    return Guard(_own_context(config), keeper)


def _own_context(config: BrokerConfig) -> ssl.SSLContext | None:
    """TLS without certificates of clients; None for plain text."""
    if not config.uses_tls or config.certfile is None or config.keyfile is None:
        return None
    return renewed_context(config.certfile, config.keyfile)


class EmbeddedBroker:
    """The broker port over amqtt."""

    def __init__(
        self,
        config: BrokerConfig,
        reception: Reception,
        metrics: Metrics,
        guard: Guard | None = None,
    ) -> None:
        self._config = config
        self._reception = reception
        self._metrics = metrics
        self._guard = guard or Guard(_own_context(config), OpenKeeper())
        self._publishing = 0
        self._publishing_lock = threading.Lock()
        self.access = TopicAccess(config.topic_root) if guard is not None else None
        self._denials = FirstTimes(logger)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._broker: plugins.GuardedBroker | None = None
        self._door: Door | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            self._broker = plugins.GuardedBroker(self._amqtt_config(), loop=self._loop)
            self._broker.access = self.access
            self._broker.dropped = self.dropped
            await self._broker.start()
            await self._open_door(self._broker)
        except (AMQTTError, OSError) as error:
            await self.stop()
            raise TransportError(
                f"the embedded broker cannot listen on {self._config.host}:{self._config.port}: {error}",
                hint='is another broker running? set broker.port, or broker.kind = "external"',
            ) from error
        logger.info("embedded broker listens on %s:%d", self._config.host, self._config.port)

    async def _open_door(self, broker: plugins.GuardedBroker) -> None:
        async def hand_over(turnstile: Turnstile, outlet: Outlet) -> None:
            await broker.external_connected(turnstile, outlet, _LISTENER)

        config = self._config
        crowd = Crowd(room_for(config.max_connections), config.max_connections_per_address)
        self._door = Door(
            context=self._guard.context, keeper=self._guard.keeper, access=self.access,
            crowd=crowd, metrics=self._metrics, hand_over=hand_over,
        )  # fmt: skip
        await self._door.open(config.host, config.port)
        if config.websocket.port is not None:
            await self._door.open(
                config.host, config.websocket.port, websocket_origins=config.websocket.origins
            )

    async def stop(self) -> None:
        if self._door is not None:
            await self._door.close()
            self._door = None
        if self._broker is not None:
            await self._broker.shutdown()
            self._broker = None

    def clashes(self) -> list[Clash]:
        return self._door.clashes() if self._door is not None else []

    @property
    def connected(self) -> bool:
        return self._broker is not None

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self._loop is None or self._broker is None:
            return
        with self._publishing_lock:
            full = self._publishing >= BROKER_MAX_PUBLISHING
            self._publishing += not full
        if full:
            self._metrics.count("dropped_answers")
            return
        asyncio.run_coroutine_threadsafe(self._publish(topic, payload, retain), self._loop)

    async def _publish(self, topic: str, payload: bytes, retain: bool) -> None:
        with self._publishing_lock:
            self._publishing -= 1
        if self._broker is None:
            return
        await self._broker.internal_message_broadcast(topic, payload, 1)
        if retain:
            await self._broker.retain_message(None, topic, payload, 1)

    async def room(self, topic: str) -> None:
        """Wait until the inbox takes another arrival of the topic's device."""
        device = self._reception.device_of(topic)
        while not self._reception.inbox.has_room_for(device):
            await asyncio.sleep(_ROOM_POLL_S)

    def take(self, topic: str, payload: bytes) -> None:
        """Hand a device's message on."""
        self._reception.take(topic, payload)

    def permits(self, user: str, topic: str, action: Action) -> bool:
        """Whether a client may publish, subscribe or receive; what it may not is counted."""
        if self.access is None:
            return True
        publishes = action == Action.PUBLISH
        may = self.access.may_publish if publishes else self.access.may_subscribe
        if may(user, topic):
            return True
        if action != Action.RECEIVE:
            self._metrics.count("denied_messages", action="publish" if publishes else "subscribe")
            self._denials.warn(f"{user} may not {action.value} {topic}")
        return False

    def dropped(self, what: str) -> None:
        """Something is over its bound: a message to a client that does not read it, say."""
        self._metrics.count("denied_messages", action=what)

    def _amqtt_config(self) -> dict[str, Any]:
        chosen: dict[str, dict[str, Any]] = {
            f"{plugins.__name__}.Tap": {"target": self},
            f"{plugins.__name__}.Gate": {"target": self},
            f"{plugins.__name__}.Identified": {},
        }
        return {
            "listeners": {_LISTENER: {"type": "external"}},
            "plugins": chosen,
            "session_expiry_interval": BROKER_OFFLINE_S,
        }
