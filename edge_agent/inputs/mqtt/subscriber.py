"""A client of the local broker: keeps messages until the next poll takes them.

It has nothing in common with the uplink: another broker, no acknowledgement by a gateway, no window.
paho reconnects by itself and subscribes anew at each connection. Messages wait in a queue that is
bounded in number and bytes; what does not fit is counted, the oldest stay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.inputs.mqtt.settings import MqttSettings
from headrace.errors import InputError
from headrace.limits.agent import RETRY_MAX_S
from headrace.limits.inputs import (
    MQTT_INPUT_MAX_PAYLOAD_BYTES,
    MQTT_INPUT_MAX_WAITING,
    MQTT_INPUT_MAX_WAITING_BYTES,
)

KEEPALIVE_S: Final = 30
CONNECT_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message and when it arrived."""

    topic: str
    payload: bytes
    time_us: int


class Subscriber:
    """Messages of the configured topics since the last ``take``.

    Raises:
        InputError: the CA or the password cannot be read.
    """

    def __init__(self, settings: MqttSettings, now_us: Callable[[], int]) -> None:
        self._settings, self._now_us = settings, now_us
        self._lock = threading.Lock()
        self._waiting: list[Message] = []
        self._bytes = 0
        self.dropped = 0  # messages that did not fit since the last take
        self._why = ""
        try:
            self._client = self._new_client()
        except OSError as error:
            raise InputError(f"mqtt input: ca or password_file: {error}") from error

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        self._client.connect_async(self._settings.host, self._settings.port, KEEPALIVE_S)
        self._client.loop_start()

    def take(self) -> tuple[list[Message], int]:
        """What has arrived, and how many messages did not fit."""
        with self._lock:
            taken, dropped = self._waiting, self.dropped
            self._waiting, self._bytes, self.dropped = [], 0, 0
        return taken, dropped

    def check(self) -> None:
        """Raises InputError while the broker does not give us the topics."""
        if self._why:
            raise InputError(
                f"broker {self._settings.host}:{self._settings.port}: {self._why}",
                hint="check host, port, username and the broker's ACL",
            )

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _new_client(self) -> paho.Client:
        settings = self._settings
        # Without an id of its own the broker gives one: two agents must not throw each other out.
        client = paho.Client(CallbackAPIVersion.VERSION2, clean_session=True)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(1, int(RETRY_MAX_S))
        if settings.tls:
            client.tls_set(ca_certs=str(settings.ca) if settings.ca else None)
        if settings.password_file is not None:
            password = settings.password_file.read_text(encoding="utf-8").strip()
            client.username_pw_set(settings.username, password)
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda _c, _u: self._away("cannot be reached")
        client.on_subscribe = self._on_subscribe
        # After a refusal the connection ends too; the refusal says why.
        client.on_disconnect = lambda _c, _u, _flags, code, _p: self._away(self._why or str(code))
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: paho.Client, _u: Any, _flags: Any, code: Any, _p: Any) -> None:
        if code.is_failure:
            self._away(f"refuses the connection: {code}")
            return
        filters = dict.fromkeys(topic.template.filter for topic in self._settings.topics)
        qos: int = self._settings.qos
        client.subscribe([(one, qos) for one in filters])

    def _on_subscribe(self, _c: Any, _u: Any, _mid: Any, codes: Any, _p: Any) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        self._why = f"refuses to subscribe: {', '.join(refused)}" if refused else ""

    def _away(self, why: str) -> None:
        self._why = why

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        # What a broker has retained is of a time that nobody knows.
        if message.retain and not self._settings.retained:
            return
        size = len(message.payload)
        with self._lock:
            full = (
                size > MQTT_INPUT_MAX_PAYLOAD_BYTES
                or len(self._waiting) >= MQTT_INPUT_MAX_WAITING
                or self._bytes + size > MQTT_INPUT_MAX_WAITING_BYTES
            )
            if full:
                self.dropped += 1
                return
            self._waiting.append(Message(message.topic, bytes(message.payload), self._now_us()))
            self._bytes += size
