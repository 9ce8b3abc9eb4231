"""The MQTT client (paho), reduced to what the uplink needs.

Three traps of paho are avoided by shape:

- After a reconnect paho sends its whole backlog whatever its limits say. So there is a new client
  object for each connection, which has no backlog, and it is given the window and nothing else.
- Callbacks run in paho's thread and partly under its locks. So they only put an event into a bounded
  queue and never wait; when the queue is full the connection is given up, and everything is sent
  again on the next.
- ``loop_stop`` waits for unsent messages for ever when the other side is gone. So the socket is shut
  down first.

An event carries the number of the connection that it belongs to; what an abandoned connection still
says is ignored.
"""

from __future__ import annotations

import logging
import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.config import UplinkSettings
from headrace.errors import TransportError
from headrace.tls_hints import tls_hint
from headrace.topics import Topics
from headrace.wire import DeviceState, encode

_log = logging.getLogger(__name__)

#: Seconds between two signs of life; a broker notices a dead device after one and a half of them.
KEEPALIVE_S: Final = 30
CONNECT_TIMEOUT_S: Final = 5.0
#: Beside the window, the state document and the models' report are on their way too.
EXTRA_INFLIGHT: Final = 4


@dataclass(frozen=True, slots=True)
class Up:
    """Connected, and subscribed to acks and nacks."""


@dataclass(frozen=True, slots=True)
class Down:
    """Not connected, or not any more."""

    why: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The broker has taken the message of that number."""

    message: int


@dataclass(frozen=True, slots=True)
class Document:
    """An ack or a nack arrived."""

    is_ack: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Desired:
    """The gateway says that there is something new for the models of this device."""

    payload: bytes


LinkEvent = Up | Down | Taken | Document | Desired


class MqttLink:
    """One connection at a time to one broker.

    Args:
        put: takes (connection number, event) and must not wait; raises ``queue.Full``.
        models: whether this device runs models, and wants to hear what is desired of them.
    """

    def __init__(
        self,
        settings: UplinkSettings,
        *,
        device: str,
        put: Callable[[int, LinkEvent], None],
        models: bool = False,
    ) -> None:
        self._settings = settings
        self._models = models
        self._device = device
        self._topics = Topics(settings.topic_root)
        self._put = put
        self._client: paho.Client | None = None
        self._gone = threading.Event()
        self.connection = 0

    @property
    def data_topic(self) -> str:
        return self._topics.data(self._device, "arrow")

    def connect(self) -> None:
        """Open a connection; ``Up`` or ``Down`` follows.

        Raises:
            TransportError: it failed at once.
        """
        self.close()
        self.connection += 1
        try:
            client = self._new_client()
            client.connect(self._settings.host, self._settings.port, keepalive=KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise TransportError(str(error), hint=tls_hint(str(error), ca="uplink.ca")) from error
        self._client = client
        client.loop_start()

    def publish(self, payload: bytes) -> int:
        """Send a batch; returns the number that ``Taken`` will carry."""
        assert self._client is not None  # noqa: S101  (the machine sends only while connected)
        return self._client.publish(self.data_topic, payload, qos=1).mid

    def publish_state(self, state: DeviceState, wait_s: float = 0.0) -> None:
        """Put the device's state on its retained topic."""
        if self._client is None:
            return
        topic = self._topics.state(self._device)
        info = self._client.publish(topic, encode(state), qos=1, retain=True)
        if wait_s:
            with suppress(
                RuntimeError, ValueError
            ):  # not connected any more: the will speaks for us
                info.wait_for_publish(wait_s)

    def publish_models(self, report: bytes) -> None:
        """Put what the models of this device do on its retained topic."""
        if self._client is not None:
            topic = self._topics.model_reported(self._device)
            self._client.publish(topic, report, qos=1, retain=True)

    def close(self, goodbye_s: float = 0.0) -> None:
        """Drop the connection; events that it still gives are ignored.

        Args:
            goodbye_s: time for the DISCONNECT packet to leave. A broker that does not see it before
                the socket closes publishes the last will over the state that we have just set.
        """
        client, self._client = self._client, None
        self.connection += 1
        if client is None:
            return
        client.disconnect()
        if goodbye_s:
            self._gone.wait(goodbye_s)
        sock = client.socket()
        if isinstance(sock, socket.socket):  # an SSLSocket is one too
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        client.loop_stop()

    def _new_client(self) -> paho.Client:
        settings = self._settings
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"headrace-{self._device}",
            clean_session=True,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(settings.window_batches + EXTRA_INFLIGHT)
        if settings.uses_tls:
            ca, cert, key = (
                str(path) if path else None for path in (settings.ca, settings.cert, settings.key)
            )
            client.tls_set(ca_certs=ca, certfile=cert, keyfile=key)
        if settings.password_file is not None:
            password = settings.password_file.read_text(encoding="utf-8").strip()
            client.username_pw_set(settings.username, password)
        client.will_set(
            self._topics.state(self._device), encode(DeviceState(False)), qos=1, retain=True
        )
        self._attach(client, self.connection)
        return client

    def _attach(self, client: paho.Client, connection: int) -> None:
        ack, nack = self._topics.ack(self._device), self._topics.nack(self._device)
        desired = self._topics.model_desired(self._device)
        wanted = [(ack, 1), (nack, 1), *([(desired, 1)] if self._models else [])]
        gone = self._gone = threading.Event()

        def tell(event: LinkEvent) -> None:
            try:
                self._put(connection, event)
            except queue.Full:
                # Nothing may wait here and nothing may be lost silently: end the connection.
                client.disconnect()

        def on_connect(_c: Any, _u: Any, _flags: Any, code: Any, _p: Any) -> None:
            if code.is_failure:
                tell(Down(f"the broker refuses: {code}"))
            else:
                client.subscribe(wanted)

        def on_subscribe(_c: Any, _u: Any, _mid: Any, codes: Any, _p: Any) -> None:
            # Without acks nothing works; without hints the models look by themselves.
            refused = any(code.is_failure for code in codes[:2])
            tell(Down(f"the broker refuses to subscribe {ack}") if refused else Up())

        def on_message(_c: Any, _u: Any, message: Any) -> None:
            # amqtt has been seen to hand us a document of another topic after we were killed.
            if message.topic in (ack, nack):
                tell(Document(message.topic == ack, message.payload))
            elif message.topic == desired:
                tell(Desired(message.payload))

        def on_disconnect(_c: Any, _u: Any, _flags: Any, code: Any, _p: Any) -> None:
            gone.set()
            tell(Down(str(code)))

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_message = on_message
        client.on_publish = lambda _c, _u, mid, _code, _p: tell(Taken(mid))
        client.on_disconnect = on_disconnect
