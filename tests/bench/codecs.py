"""CPU per message of the two MQTT clients that the gateway can take batches with.

    python -m tests.bench.codecs --messages 100000

mosquitto holds that many messages of 100 bytes for a session that lasts; each client then takes them
all, acknowledging every one. Printed are the CPU seconds of this process, per client: mosquitto's own are
the same for both.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import threading
import time
from pathlib import Path

import mqtt5
import paho.mqtt.client as mqtt

from tests.servers.mosquitto import mosquitto

TOPIC = "bench/device-1/data/senml-json"


def keep(port: int, messages: int, protocol: int) -> None:
    """A session with so many messages waiting."""
    session = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="taker", protocol=protocol, **(
        {} if protocol == mqtt.MQTTv5 else {"clean_session": False}
    ))  # fmt: skip
    properties = None
    if protocol == mqtt.MQTTv5:
        properties = mqtt.Properties(mqtt.PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
    done = threading.Event()
    session.on_connect = lambda client, *_: client.subscribe("bench/#", 1)
    session.on_subscribe = lambda *_: done.set()
    more = {"clean_start": False, "properties": properties} if properties else {}
    session.connect("127.0.0.1", port, **more)
    session.loop_start()
    assert done.wait(10)
    session.disconnect()
    session.loop_stop()
    publisher = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    publisher.max_inflight_messages_set(1_000)
    publisher.connect("127.0.0.1", port)
    publisher.loop_start()
    for _ in range(messages):
        sent = publisher.publish(TOPIC, b"x" * 100, qos=1)
    sent.wait_for_publish(120)
    publisher.disconnect()
    publisher.loop_stop()


def with_paho(port: int, messages: int) -> None:
    taken, done = 0, threading.Event()
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id="taker", clean_session=False, manual_ack=True
    )

    def on_message(client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        nonlocal taken
        taken += 1
        client.ack(message.mid, message.qos)
        if taken == messages:
            done.set()

    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert done.wait(300), taken
    client.disconnect()
    client.loop_stop()


class Taker(asyncio.Protocol):
    """As ``gateway.broker.mqtt5`` does: all that has come is read, and its PUBACKs are one write."""

    def __init__(self, messages: int) -> None:
        self._left = messages
        self._unread = bytearray()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        packet = mqtt5.ConnectPacket("taker", clean_start=False, session_expiry_interval=3600)
        transport.write(packet.write())

    def data_received(self, data: bytes) -> None:
        self._unread += data
        at, acks = 0, []
        with memoryview(self._unread) as unread:
            while at < len(unread):
                try:
                    packet, used = mqtt5.read(unread[at:])
                except IndexError:
                    break
                at += used
                if isinstance(packet, mqtt5.PublishPacket) and packet.packet_id is not None:
                    acks.append(mqtt5.PubAckPacket(packet.packet_id).write())
        del self._unread[:at]
        self._transport.write(b"".join(acks))
        self._left -= len(acks)
        if self._left <= 0 and not self.done.done():
            self.done.set_result(None)


async def with_mqtt5(port: int, messages: int) -> None:
    loop = asyncio.get_running_loop()
    transport, taker = await loop.create_connection(lambda: Taker(messages), "127.0.0.1", port)
    await asyncio.wait_for(taker.done, 300)
    transport.close()


def measured(name: str, messages: int) -> None:
    """One client, from a broker of its own."""
    protocol = mqtt.MQTTv5 if name == "mqtt5" else mqtt.MQTTv311
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as broker:
        keep(broker.port, messages, protocol)
        cpu, wall = time.process_time(), time.monotonic()
        if name == "mqtt5":
            asyncio.run(with_mqtt5(broker.port, messages))
        else:
            with_paho(broker.port, messages)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    print(f"{name:6} {cpu:6.2f} s of CPU, {cpu / messages * 1e6:5.1f} µs a message, {messages / wall:9,.0f} messages/s")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    messages = parser.parse_args().messages
    for name in ("paho", "mqtt5"):
        measured(name, messages)


if __name__ == "__main__":
    main()
