"""A stand-in for the gateway: subscribes, decodes with the real codecs, remembers, acknowledges.

It implements the wire contract and nothing else: no journal, no fsync, so that the agent can be
tested and measured alone. ``deaf`` makes it receive without answering.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from headrace import codecs
from headrace.ranges import RangeSet
from headrace.topics import Topics
from headrace.wire import Ack, DeviceState, Nack, decode, encode


@dataclass
class AckingGateway:
    """What has arrived so far; read it from any thread."""

    decode_payloads: bool = True
    deaf: bool = False
    nack_reason: str = ""
    received: list[tuple[str, int, int]] = field(default_factory=list)  # device, first, last
    batches: list[Any] = field(default_factory=list)
    seen: dict[tuple[str, str], RangeSet] = field(default_factory=dict)
    duplicates: int = 0
    states: list[DeviceState] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def rows(self) -> int:
        """Different readings that have arrived."""
        with self.lock:
            return sum(ranges.count for ranges in self.seen.values())

    def take(self, device: str, payload: bytes) -> Ack | Nack | None:
        batch = codecs.decode("arrow", payload, 0)
        first, last = batch.first_seq, batch.first_seq + batch.rows.num_rows - 1
        with self.lock:
            seen = self.seen.setdefault((device, batch.stream or ""), RangeSet())
            new = sum(end - start + 1 for start, end in seen.missing(first, last))
            self.duplicates += batch.rows.num_rows - new
            self.received.append((device, first, last))
            if self.decode_payloads:
                self.batches.append(batch)
            if self.deaf:
                return None
            if self.nack_reason:
                return Nack(batch.stream or "", [(first, last)], self.nack_reason)
            seen.add(first, last)
        return Ack(batch.stream or "", [(first, last)])


@contextmanager
def acking_gateway(port: int, *, keep_batches: bool = True) -> Iterator[AckingGateway]:
    """Answer every device of the broker on 127.0.0.1:port while the block lasts."""
    gateway = AckingGateway(decode_payloads=keep_batches)
    topics = Topics()
    ready = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="acking-gateway")

    def on_connect(_c: Any, _u: Any, _f: Any, _code: Any, _p: Any) -> None:
        client.subscribe([(topic, 1) for topic in topics.subscriptions()])

    def on_message(_c: Any, _u: Any, message: Any) -> None:
        incoming = topics.parse(message.topic)
        if incoming is None:
            return
        if incoming.kind == "state":
            gateway.states.append(decode(message.payload, DeviceState))
            return
        answer = gateway.take(incoming.device, message.payload)
        if answer is not None:
            build = topics.ack if isinstance(answer, Ack) else topics.nack
            client.publish(build(incoming.device), encode(answer), qos=1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        if not ready.wait(10):
            raise AssertionError("the stand-in gateway could not subscribe")
        yield gateway
    finally:
        client.disconnect()
        client.loop_stop()
