"""What devices and gateways report of their models: retained on MQTT at each site's gateway."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from headrace.topics import Topics

_FILTER: Final = Topics().model_reported("+")


@dataclass(frozen=True, slots=True)
class Report:
    """Which version of the model runs on a device's readings, and who runs it."""

    where: str = ""
    version: int | None = None


class Reports:
    """Listens to some gateways until it is closed; reconnects by itself."""

    def __init__(self, model: str, ports: Iterable[int]) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._reports: dict[str, Report] = {}
        self._clients = [self._listen(port) for port in ports]

    def of(self, device: str) -> Report:
        """What is reported of a device last."""
        with self._lock:
            return self._reports.get(device, Report())

    def close(self) -> None:
        for client in self._clients:
            client.disconnect()
            client.loop_stop()

    def _listen(self, port: int) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="headrace-demo-models")
        client.on_connect = _subscribe
        client.on_message = self._on_message
        client.connect_async("127.0.0.1", port)
        client.loop_start()
        return client

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        device = message.topic.split("/")[-3]
        with suppress(ValueError, KeyError):
            said: dict[str, Any] = json.loads(message.payload)
            active = {each["model"]: each["active"] for each in said["models"]}
            with self._lock:
                self._reports[device] = Report(said["where"], active.get(self._model))


def _subscribe(client: mqtt.Client, *_rest: Any) -> None:
    client.subscribe(_FILTER, 1)
