"""A device as a test plays it: plain paho, no agent."""

from __future__ import annotations

import json
import threading
from typing import Any

import paho.mqtt.client as mqtt

from headrace.journal import JournalReader
from headrace.limits.sizes import GIB
from headrace.topics import Topics
from tests.batches import payload
from tests.programs import Gateway
from tests.servers import wait_until

_STREAM = "0123456789abcdef"


class Device:
    """Publishes payloads and remembers acks and nacks."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.topics = Topics()
        self.acks: list[dict[str, Any]] = []
        self.nacks: list[dict[str, Any]] = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"test-{name}")
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(self.topics.ack(name), 1), (self.topics.nack(name), 1)]
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10), "not subscribed"

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        kind = self.nacks if message.topic.endswith("/nack") else self.acks
        kind.append(json.loads(message.payload))

    def publish(self, payload: bytes, format_name: str = "arrow") -> None:
        self.publish_on(self.topics.data(self.name, format_name), payload)

    def publish_on(self, topic: str, payload: bytes, retain: bool = False) -> None:
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        sent.wait_for_publish(10)

    @property
    def acked(self) -> int:
        """How many readings have been acknowledged."""
        return sum(last - first + 1 for ack in self.acks for first, last in ack["ranges"])

    def wait_acked(self, count: int) -> None:
        wait_until(lambda: self.acked >= count, 20, f"{count} readings acknowledged")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Sender:
    """Firmware without the wire contract's acks: what the broker has taken, it forgets."""

    def __init__(self, name: str, port: int) -> None:
        self._topic = Topics().data(name, "arrow")
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"sender-{name}", clean_session=False
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.max_inflight_messages_set(100)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._sent: list[mqtt.MQTTMessageInfo] = []

    def send(self, first: int, count: int) -> None:
        """Batches ``first`` and following, of ten readings each."""
        for number in range(first, first + count):
            body = payload(_STREAM, number * 10 + 1, 10)
            self._sent.append(self._client.publish(self._topic, body, qos=1))

    @property
    def taken(self) -> int:
        return sum(each.is_published() for each in self._sent)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def journalled(gateway: Gateway, device: str = "pump-1") -> int:
    """Readings of a device in the gateway's journal; what the gateway says of itself is not among them."""
    with JournalReader(gateway.journal) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=GIB)
    return sum(row.rows for row in rows if row.device == device)
