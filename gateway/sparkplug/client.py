"""The connection of the host application, through paho: every broker speaks MQTT 3.1.1.

As the specification asks (chapter 5, host applications): a clean session, a last will that says
``{"online": false}`` on ``spBv1.0/STATE/<host>``, retained; then subscribe, then say ``true`` with the will's
time. Nodes that have this host as their primary one are born again when they see it, so a restart of
the gateway needs no memory of what their aliases meant.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.broker.config import BrokerConfig
from gateway.broker.paho import Credentials
from gateway.ingest.inbox import Inbox
from gateway.live import Live
from gateway.sparkplug.config import SparkplugConfig
from gateway.sparkplug.host import Host
from gateway.sparkplug.names import state_topic, subscriptions
from headrace.clock import Clock
from headrace.errors import TransportError
from headrace.limits.agent import RETRY_FIRST_S, RETRY_MAX_S
from headrace.limits.sources import SPARKPLUG_LOOK_S
from headrace.logs import Condition
from headrace.metrics import Metrics

logger = logging.getLogger(__name__)

_KEEPALIVE_S = 30

#: Unsure nodes that are named.
_SHOWN: Final = 20


class HostState(msgspec.Struct, frozen=True):
    """The payload of STATE; ``timestamp`` in milliseconds since 1970 UTC."""

    online: bool
    timestamp: int


class SparkplugClient:
    """Connects a ``Host`` to a broker.

    Args:
        broker: as a client of the gateway's machine sees it.
        site: the host id, where the configuration gives none.
    """

    def __init__(
        self,
        config: SparkplugConfig,
        broker: BrokerConfig,
        *,
        site: str,
        inbox: Inbox,
        live: Live,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._metrics = metrics
        host_id = config.host_id or site
        self._filters = subscriptions(config.groups, host_id)
        self._state_topic = state_topic(host_id)
        self._since_ms = 0
        self._condition = Condition(logger, f"Sparkplug at broker {broker.host}:{broker.port}")
        self._client = self._make_client(f"headrace-sparkplug-{site}")
        self._host = Host(inbox=inbox, live=live, clock=clock, metrics=metrics, send=self._send)
        self._looking: asyncio.Task[None] | None = None

    def _make_client(self, client_id: str) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        client.reconnect_delay_set(max(1, round(RETRY_FIRST_S)), round(RETRY_MAX_S))
        client.on_pre_connect = self._before_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._credentials = Credentials(client, self._broker)
        return client

    async def start(self) -> None:
        """Connect, now or later.

        Raises:
            TransportError: that can never be.
        """
        self._before_connect(self._client, None)
        try:
            self._client.connect_async(self._broker.own_host, self._broker.port, _KEEPALIVE_S)
        except ValueError as error:
            raise TransportError(f"broker {self._broker.host}: {error}") from error
        self._client.loop_start()
        self._looking = asyncio.create_task(self._look(), name="sparkplug")

    async def stop(self) -> None:
        """Say that the host is not there any more, and disconnect."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        if self._client.is_connected():
            said = self._say(False, self._now_ms())
            await asyncio.to_thread(_wait, said)
        self._client.disconnect()
        self._host.close()
        self._client.loop_stop()

    def condition(self) -> dict[str, Any]:
        """How the host and its nodes are: counts, and those that are unsure by name."""
        nodes = self._host.nodes()
        unsure = sorted(node for node in nodes if not node.sure and (node.births or node.held or node.asked_s is not None))  # fmt: skip
        return {
            "connected": self._client.is_connected(),
            "nodes": sum(node.sure for node in nodes),
            "devices": sum(max(0, node.births - 1) for node in nodes if node.sure),
            "held": sum(node.held for node in nodes),
            "unsure": [node._asdict() for node in unsure[:_SHOWN]],
            "unsure_nodes": len(unsure),
        }

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(SPARKPLUG_LOOK_S)
            self._host.look()

    def _send(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=0)

    def _say(self, online: bool, at_ms: int) -> mqtt.MQTTMessageInfo:
        state = msgspec.json.encode(HostState(online, at_ms))
        return self._client.publish(self._state_topic, state, qos=1, retain=True)

    def _now_ms(self) -> int:
        return self._clock.now_us() // 1_000

    # --- paho's thread -----------------------------------------------------------------------------

    def _before_connect(self, client: mqtt.Client, _data: object) -> None:
        """The will and what is said after the connection have the same time."""
        self._credentials.renew()
        self._since_ms = self._now_ms()
        will = msgspec.json.encode(HostState(False, self._since_ms))
        client.will_set(self._state_topic, will, qos=1, retain=True)

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        if reason.is_failure:
            self._condition.bad(f"refused the connection: {reason}")
            return
        self._host.lose_track()
        client.subscribe([(topic, 1) for topic in self._filters])

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, reasons: list[ReasonCode], _props: object
    ) -> None:  # fmt: skip
        refused = [reason for reason in reasons if reason.is_failure]
        if refused:
            self._condition.bad(f"refused the subscription: {refused[0]}")
            return
        self._condition.good()
        self._metrics.set("sparkplug_connected", 1)
        self._say(True, self._since_ms)
        logger.info("Sparkplug host %s is online", self._state_topic.rsplit("/", 1)[1])

    def _on_connect_fail(self, _client: mqtt.Client, _data: object) -> None:
        self._condition.bad("cannot be reached")

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:  # fmt: skip
        self._metrics.set("sparkplug_connected", 0)
        if reason.is_failure:
            self._condition.bad(f"connection lost: {reason}")

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == self._state_topic:
            self._on_state(bytes(message.payload))
        else:
            self._host.take(message.topic, bytes(message.payload))

    def _on_state(self, payload: bytes) -> None:
        """The will of a connection that the broker has just noticed to be dead: we are here."""
        try:
            state = msgspec.json.decode(payload, type=HostState)
        except msgspec.MsgspecError:
            return
        if not state.online and state.timestamp <= self._since_ms:
            self._say(True, self._since_ms)


def _wait(said: mqtt.MQTTMessageInfo) -> None:
    with contextlib.suppress(RuntimeError, ValueError):
        said.wait_for_publish(1.0)
