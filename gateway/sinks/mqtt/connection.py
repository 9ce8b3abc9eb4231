"""The connection to the other broker, through paho.

paho's own queue is in memory and it sends all of it again after a reconnect, so nothing is left to it:
never more than a window is out, a connection that fails is thrown away, and what was not confirmed goes
out again over the next. paho's thread only tells ``Waiting`` what has arrived.

A message of QoS 0 (Sparkplug) is answered by nobody. But a broker takes the packets of a connection in their
order, so the answer to a question that was asked behind them says that it has them: the subscription
to commands is made once more, and its SUBACK confirms them. It is asked often enough for a slow line.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.sinks.mqtt.config import MqttSettings
from gateway.sinks.mqtt.message import Message
from gateway.sinks.mqtt.session import Session
from gateway.sinks.mqtt.waiting import Waiting
from gateway.sinks.secret import read_secret
from headrace import wire
from headrace.errors import PayloadError, SinkUnavailable
from headrace.limits.sinks import (
    MQTT_SINK_ASK_BYTES,
    MQTT_SINK_WINDOW_BYTES,
    MQTT_SINK_WINDOW_MESSAGES,
)
from headrace.tls_hints import tls_hint
from headrace.topics import Topics

logger = logging.getLogger(__name__)

_KEEPALIVE_S = 30


class Connection:
    """Connects when it is first needed, and again after a failure; used by one thread."""

    def __init__(
        self, settings: MqttSettings, *, client_id: str, session: Session | None = None
    ) -> None:
        self._session = session
        self._settings = settings
        self._client_id = settings.client_id or client_id
        self._topics = Topics(settings.topic_root)
        self._client: mqtt.Client | None = None
        self._changed = threading.Condition()
        self._ready = self._answered = False
        self._lost = ""
        self._waiting = Waiting([], for_ack=False)

    def deliver(self, messages: Sequence[Message]) -> Waiting:
        """Publish in order and wait until all are confirmed, or until that does not go on.

        Returns: what became of each; ``failure`` says why the rest is not confirmed.
        """
        waiting = Waiting(messages, for_ack=self._settings.waits_for_ack)
        client = self._connected()
        if self._session is not None and not self._session.is_born:
            raise self.unavailable("connection lost")
        with self._changed:
            self._waiting = waiting
            waiting.failure = self._lost
        unasked = 0
        for place, message in enumerate(messages):
            self._wait(lambda: waiting.is_over or self._has_room(message))  # noqa: B023
            if waiting.failure:
                break
            with self._changed:
                waiting.publishes(place)
            # Not under our lock: paho holds its own while it calls back.
            sent = client.publish(
                message.topic, message.payload, qos=self._settings.qos, retain=self._settings.retain
            )
            with self._changed:
                waiting.published(place, sent.mid)
            unasked += len(message.payload)
            if self._settings.qos == 0 and unasked >= MQTT_SINK_ASK_BYTES:
                unasked = self._ask_behind(client)
        self._wait(lambda: waiting.is_over)
        if self._settings.qos == 0 and not waiting.failure:
            self._ask_behind(client)
        if waiting.failure:
            self.close()
        return waiting

    def _ask_behind(self, client: mqtt.Client) -> int:
        """Wait for an answer that comes behind what was published; the bytes that are unanswered then."""
        if self._session is not None:
            with self._changed:
                self._answered = False
            client.subscribe(self._session.command_topic, 1)
            self._wait(lambda: self._answered or bool(self._waiting.failure))
        return 0

    def open(self) -> None:
        """Be connected, before messages are made that depend on it.

        Raises:
            SinkUnavailable: the broker is away.
        """
        self._connected()

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as anybody has noticed."""
        return self._client is not None and not self._lost

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            if self._session is not None and not self._lost:
                client.publish(*self._session.death(), qos=1)
            client.disconnect()
            client.loop_stop()

    def _has_room(self, message: Message) -> bool:
        waiting = self._waiting
        return waiting.count == 0 or (
            waiting.count < MQTT_SINK_WINDOW_MESSAGES
            and waiting.bytes + len(message.payload) <= MQTT_SINK_WINDOW_BYTES
        )

    def _wait(self, goal: Callable[[], bool]) -> None:
        """Until the goal is reached; a time without any progress is a failure."""
        waiting = self._waiting

        def goes_on(before: int) -> bool:
            return goal() or waiting.confirmed != before

        with self._changed:
            while not goal():
                before = waiting.confirmed
                if not self._changed.wait_for(partial(goes_on, before), self._settings.timeout_s):
                    who = "the other gateway" if self._settings.waits_for_ack else "the broker"
                    waiting.failure = f"{who} confirms nothing for {self._settings.timeout_s:g} s"

    def _connected(self) -> mqtt.Client:
        if self._client is not None and not self._lost:
            return self._client
        self.close()
        self._ready, self._lost = False, ""
        client = self._client = self._make_client()
        try:
            client.connect(self._settings.host, self._settings.port, _KEEPALIVE_S)
        except (OSError, ValueError) as error:
            self.close()
            raise self.unavailable(f"cannot be reached: {error}") from error
        client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._lost, self._settings.timeout_s)
            reason = self._lost or ("" if self._ready else "does not answer")
        if reason:
            self.close()
            raise self.unavailable(reason)
        return client

    def unavailable(self, reason: str) -> SinkUnavailable:
        """The error for a failure."""
        where = f"{self._settings.host}:{self._settings.port}"
        return SinkUnavailable(f"MQTT broker {where}: {reason}", hint=self._hint(reason))

    def _hint(self, reason: str) -> str:
        settings = self._settings
        if reason.startswith("refuses the connection"):
            return "check username and password_file, or certfile and keyfile"
        # A broker that wants a certificate says so behind the handshake (TLS 1.3), and paho not at all.
        if not self._ready and settings.uses_tls and settings.certfile is None:
            unsaid = "it may ask for a certificate: see certfile and keyfile"
            return tls_hint(reason) or (unsaid if reason.startswith("connection lost") else "")
        return tls_hint(reason)

    def _make_client(self) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv5 if settings.protocol == "5" else mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = settings.timeout_s
        client.max_inflight_messages_set(MQTT_SINK_WINDOW_MESSAGES)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        if self._session is not None:
            client.will_set(*self._session.begin(), qos=1)
        if settings.username:
            client.username_pw_set(settings.username, read_secret(settings.password_file) or None)
        if settings.uses_tls:
            ca, certificate, key = (
                str(path) if path else None
                for path in (settings.cafile, settings.certfile, settings.keyfile)
            )
            client.tls_set(ca, certificate, key)
        return client

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        if reason.is_failure:
            self._lose(client, f"refuses the connection: {reason}")
        elif self._session is not None:
            client.subscribe(self._session.command_topic, 1)
        elif self._settings.waits_for_ack:
            client.subscribe([(self._topics.ack("+"), 1), (self._topics.nack("+"), 1)])
        else:
            self._be_ready()

    def _on_subscribe(
        self,
        client: mqtt.Client,
        _data: object,
        _mid: int,
        reasons: list[ReasonCode],
        _props: object,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            what = "acks" if self._session is None else "commands"
            self._lose(client, f"does not let us see {what}: {reasons[0]}")
        else:
            self._be_ready()

    def _be_ready(self) -> None:
        with self._changed:
            self._ready = self._answered = True
            self._changed.notify_all()

    def _on_disconnect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        self._lose(client, f"connection lost: {reason}")

    def _lose(self, client: mqtt.Client, reason: str) -> None:
        with self._changed:
            if client is self._client:
                # The first reason is the cause: behind a refusal the broker also hangs up.
                self._lost = self._lost or reason
                self._waiting.failure = self._waiting.failure or self._lost
                self._changed.notify_all()

    def _on_publish(
        self, client: mqtt.Client, _data: object, mid: int, reason: ReasonCode, _props: object
    ) -> None:
        with self._changed:
            if client is self._client:
                self._waiting.puback(mid, str(reason) if reason.is_failure else "")
                self._changed.notify_all()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if self._session is not None:
            self._session.command(bytes(message.payload))
            return
        device, _, kind = message.topic.removeprefix(f"{self._topics.root}/").partition("/")
        payload = bytes(message.payload)
        try:
            answer = (
                wire.decode(payload, wire.Ack) if kind == "ack" else wire.decode(payload, wire.Nack)
            )
        except PayloadError as error:
            logger.debug("%s is no answer: %s", message.topic, error)  # a stranger's; ours may come
            return
        with self._changed:
            if isinstance(answer, wire.Ack):
                self._waiting.ack(device, answer)
            else:
                self._waiting.nack(device, answer)
            self._changed.notify_all()
