"""mosquitto, and a subscriber with a persistent session who reads JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt

from gateway.sinks.mqtt import PLUGIN, MqttSettings
from tests.contract.sink_destinations import Destination
from tests.servers import free_port, wait_until
from tests.servers.link import Link
from tests.servers.mosquitto import mosquitto


def make(folder: Path) -> Destination:
    port = free_port()
    link = Link(port)
    folder.mkdir()
    seen: dict[tuple[str, str, int], int] = {}
    settings = MqttSettings(
        port=link.port, protocol="5", profile="json", topic="out/{device}/{name}", timeout_s=2,
        max_bytes=2_000,
    )  # fmt: skip

    def on_message(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        said = json.loads(message.payload)
        seen[message.topic, said["stream"], said["seq"]] = len(said["readings"])

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        link.mend()
        with mosquitto(folder, port):
            reader = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "reader", clean_session=False)
            reader.on_message = on_message
            subscribed: list[object] = []
            reader.on_subscribe = lambda *rest: subscribed.append(rest)
            reader.connect("127.0.0.1", port)
            reader.subscribe("out/#", qos=1)
            reader.loop_start()
            wait_until(lambda: subscribed, 10, "subscribed")
            yield lambda: sum(seen.values())
            reader.disconnect()
            reader.loop_stop()

    return Destination(PLUGIN.build(settings, site="s"), up, link=link)
