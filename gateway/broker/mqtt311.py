"""A broker that speaks MQTT 3.1.1 and no 5, through paho.

The session is persistent and PUBACK is manual: the broker keeps a message until our journal has it.
paho's thread only puts messages into the inbox; a full inbox blocks that thread, TCP pushes back and
the broker queues. A PUBACK belongs to the connection that delivered the message: after a reconnect
the broker delivers again under message ids of its own choice, so acks of an older connection are
dropped (the journal's dedup absorbs the redelivery).
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.broker.config import BrokerConfig
from gateway.broker.paho import Credentials
from gateway.broker.reception import Reception
from gateway.broker.terms import lacking
from headrace.errors import PayloadError, TransportError
from headrace.limits.agent import RETRY_FIRST_S, RETRY_MAX_S
from headrace.logs import Condition, FirstTimes
from headrace.metrics import Metrics
from headrace.topics import Topics

logger = logging.getLogger(__name__)

#: Acks that may wait for the network. Each is a few hundred bytes; beyond it acks are dropped and
#: the devices ask again.
_MAX_QUEUED_ACKS = 10_000
_KEEPALIVE_S = 30


class Mqtt311Client:
    """What ``external`` falls back to."""

    def __init__(
        self, config: BrokerConfig, reception: Reception, metrics: Metrics, *, site: str
    ) -> None:
        self._config = config
        self._reception = reception
        self._metrics = metrics
        self._topics = Topics(config.topic_root)
        self._condition = Condition(logger, f"broker {config.host}:{config.port}")
        self._lacks = FirstTimes(logger)
        self._connection = 0
        self._subscribed = threading.Event()
        self._client = self._make_client(f"headrace-gateway-{site}")

    def _make_client(self, client_id: str) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False, manual_ack=True
        )
        client.max_queued_messages_set(_MAX_QUEUED_ACKS)
        client.max_inflight_messages_set(1_000)
        client.reconnect_delay_set(max(1, round(RETRY_FIRST_S)), round(RETRY_MAX_S))
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        credentials = Credentials(client, self._config)
        client.on_pre_connect = lambda _client, _data: credentials.renew()
        return client

    async def start(self) -> None:
        try:
            self._client.connect_async(self._config.host, self._config.port, _KEEPALIVE_S)
        except ValueError as error:
            raise TransportError(f"broker {self._config.host}: {error}") from error
        self._client.loop_start()

    async def stop(self) -> None:
        self._client.disconnect()
        self._reception.inbox.close()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        return self._subscribed.is_set()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain)

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        if reason.is_failure:
            self._condition.bad(f"refused the connection: {reason}")
            return
        self._connection += 1
        client.subscribe([(topic, 1) for topic in self._topics.subscriptions()])

    def _on_subscribe(
        self, client: mqtt.Client, _data: object, _mid: int, codes: Sequence[ReasonCode], _props: object
    ) -> None:  # fmt: skip
        if any(code.is_failure for code in codes):
            self._condition.bad("refused the subscription; let the gateway read what devices send")
            _hang_up(client)
            return
        for each in lacking([code.value for code in codes], None):
            self._lacks.warn(f"broker {self._config.host}:{self._config.port}: {each}")
        self._condition.good()
        self._subscribed.set()
        self._metrics.set("broker_connected", 1)
        logger.info("subscribed at broker %s:%d", self._config.host, self._config.port)

    def _on_connect_fail(self, _client: mqtt.Client, _data: object) -> None:
        self._condition.bad("cannot be reached")

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        _props: object,
    ) -> None:
        self._subscribed.clear()
        self._metrics.set("broker_connected", 0)
        if reason.is_failure:
            self._condition.bad(f"connection lost: {reason}")

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        connection, mid, qos = self._connection, message.mid, message.qos

        def done(_refused: PayloadError | None) -> None:
            if connection == self._connection and qos:
                self._client.ack(mid, qos)

        self._reception.inbox.wait_for_room()
        self._reception.take(message.topic, bytes(message.payload), done)


def _hang_up(client: mqtt.Client) -> None:
    """Lose the connection, so that paho makes another after a pause."""
    connection = client.socket()
    if isinstance(connection, socket.socket):  # SSLSocket is one, too
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
