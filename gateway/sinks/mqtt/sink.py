"""The MQTT sink: what each answer means for the readings of a message.

==============================  ==============================================================
answer                          verdict
==============================  ==============================================================
the other gateway's ack         accept: it is on that gateway's disk (``await_ack``)
PUBACK                          accept, where nobody acknowledges above MQTT
the other gateway's nack        reject: it is in quarantine there, and here too
none, or a connection lost      keep
==============================  ==============================================================

What was confirmed before a failure is remembered until the rest is too, and not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.mqtt.config import MqttSettings
from gateway.sinks.mqtt.connection import Connection
from gateway.sinks.mqtt.headrace import HeadraceProfile
from gateway.sinks.mqtt.message import Message
from gateway.sinks.mqtt.plain import PlainProfile
from gateway.sinks.mqtt.sparkplug import SparkplugProfile
from gateway.sinks.port import Sink

_Key = tuple[int, str, int]


class SparkplugSink(Sink):
    """Publishes batches as an edge node of Sparkplug B.

    What was confirmed before a failure is sent again: it belongs to a session that is over.
    """

    def __init__(self, settings: MqttSettings, *, site: str) -> None:
        self._profile = SparkplugProfile(
            group=settings.group, site=site, max_bytes=settings.max_bytes,
            # Another one than before a restart, so that a late will is not taken for ours.
            bd_seq=int(time.time()) % 256,
        )  # fmt: skip
        client_id = f"headrace-{site}-{settings.name or 'mqtt'}"
        self._connection = Connection(settings, client_id=client_id, session=self._profile)
        self._last: Entry | None = None

    def write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        self._connection.open()
        self._profile.hear()
        messages, rejected = self._profile.messages(entries, _now_ms())
        self._deliver(messages)
        self._last = entries[-1]
        return rejected

    def idle(self) -> None:
        """A host may have asked for births."""
        if self._last is not None and self._connection.is_open and self._profile.hear():
            self._deliver(list(self._profile.births(_now_ms(), self._last)))

    def close(self) -> None:
        self._connection.close()

    def _deliver(self, messages: Sequence[Message]) -> None:
        waiting = self._connection.deliver(messages)
        if waiting.failure:
            raise self._connection.unavailable(waiting.failure)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class MqttSink(Sink):
    """Publishes batches on another broker."""

    def __init__(self, settings: MqttSettings, *, site: str) -> None:
        client_id = f"headrace-{site}-{settings.name or 'mqtt'}"
        self._connection = Connection(settings, client_id=client_id)
        self._profile: HeadraceProfile | PlainProfile = (
            HeadraceProfile(settings, site=site)
            if settings.profile == "headrace"
            else PlainProfile(settings, site=site)
        )
        self._done: dict[_Key, Rejected | None] = {}

    def write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        messages, rejected = self._profile.messages(entries)
        self._publish([message for message in messages if message.key not in self._done])
        rejected += [refused for refused in self._done.values() if refused is not None]
        self._done.clear()
        return rejected

    def close(self) -> None:
        self._connection.close()

    def _publish(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        waiting = self._connection.deliver(messages)
        self._done |= {messages[place].key: None for place in waiting.done}
        for place, (reason, detail) in waiting.refused.items():
            self._done[messages[place].key] = _rejected(messages[place], reason, detail)
        if waiting.failure:
            raise self._connection.unavailable(waiting.failure)


def _rejected(message: Message, reason: str, detail: str) -> Rejected:
    rows = message.entry.rows.take(pa.array(list(message.rows), pa.int64()))
    return Rejected(message.entry, reason, detail[:500], rows)
