"""mosquitto, and a host application that knows Sparkplug from another library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from gateway.sinks.mqtt import PLUGIN, MqttSettings
from tests.contract.sink_destinations import Destination
from tests.servers import free_port, wait_until
from tests.servers.link import Link
from tests.servers.mosquitto import mosquitto
from tests.servers.sparkplug import sparkplug


def make(folder: Path) -> Destination:
    port = free_port()
    link = Link(port)
    folder.mkdir()
    births: dict[str, Any] = {}
    seen: set[tuple[str, str, int, object]] = set()
    settings = MqttSettings(port=link.port, protocol="5", profile="sparkplug", timeout_s=2)

    def on_message(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        _, _, kind, _, *device = message.topic.split("/")
        if kind == "DBIRTH":
            births[device[0]] = sparkplug.DBirth.decode(message.payload)
        elif kind == "DDATA":
            data = sparkplug.DData.decode(message.payload, birth=births[device[0]])
            seen.update((device[0], each.name, each.timestamp, each.value) for each in data.metrics)

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        link.mend()
        with mosquitto(folder, port):
            reader = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "host", clean_session=False)
            reader.on_message = on_message
            subscribed: list[object] = []
            reader.on_subscribe = lambda *rest: subscribed.append(rest)
            reader.connect("127.0.0.1", port)
            reader.subscribe("spBv1.0/headrace/#", qos=1)
            reader.loop_start()
            wait_until(lambda: subscribed, 10, "subscribed")
            yield lambda: len(seen)
            link.cut()  # a broker keeps no message of QoS 0 for a host that is away,
            subscribed.clear()
            reader.subscribe("spBv1.0/headrace/#", qos=1)
            wait_until(lambda: subscribed, 10, "all that was on its way to the host")
            reader.disconnect()
            reader.loop_stop()

    return Destination(PLUGIN.build(settings, site="s"), up, bad=None, link=link)
