"""A Sparkplug edge node, written with the payloads of a client of others (PyPI's pysparkplug).

That client wants an older paho than ours, so it stands in a folder of its own (see the Makefile). Its payloads
are used here in this process; ``pysparkplug_node.py`` beside this runs it whole, in a process of its own.
"""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

FOLDER = Path(sys.prefix) / "sparkplug-node"
if FOLDER.is_dir() and str(FOLDER) not in sys.path:
    sys.path.append(str(FOLDER))
sparkplug: Any = pytest.importorskip(
    "pysparkplug", reason="pysparkplug is missing: make setup test"
)

NOW = sparkplug.get_current_timestamp
Type = sparkplug.DataType


def metric(name: str | None, kind: Any, value: Any, alias: int | None = None, time: int | None = None) -> Any:  # fmt: skip
    """A metric; without a name its alias says which."""
    return sparkplug.Metric(NOW() if time is None else time, name, kind, value=value, alias=alias)


class Node:
    """Two metrics of its own and one device, all told by alias after their births.

    Births are as the specification wants them, and asked for again by ``Node Control/Rebirth``.

    Args:
        first_alias: where its aliases begin: another one after a restart means other names by them.
    """

    def __init__(
        self,
        group: str,
        node: str,
        port: int,
        *,
        bd_seq: int = 0,
        first_alias: int = 1,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.group, self.node, self.bd_seq = group, node, bd_seq
        self.seq = 0
        self.rebirths = 0
        self.mute = False
        self.temperature, self.running, self.level = range(first_alias, first_alias + 3)
        self._lock = threading.RLock()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"{group}-{node}")
        self.client.will_set(self.topic("NDEATH"), self._death().encode(include_dtypes=True), qos=1)
        if tls is not None:
            self.client.tls_set_context(tls)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.born = threading.Event()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.born.wait(10), "the node is connected"

    def topic(self, kind: str, device: str = "") -> str:
        return f"spBv1.0/{self.group}/{kind}/{self.node}" + (f"/{device}" if device else "")

    def data(self, temperature: float) -> None:
        """NDATA by alias."""
        self._say("NDATA", [metric(None, Type.DOUBLE, temperature, self.temperature)])

    def device_data(self, level: int) -> None:
        """DDATA by alias."""
        self._say("DDATA", [metric(None, Type.INT32, level, self.level)], "tank 1")

    def lose(self, count: int = 1) -> None:
        """Messages that never arrive."""
        self.seq += count

    def birth(self) -> None:
        """NBIRTH and DBIRTH."""
        with self._lock:
            self.seq = 0
            self._say("NBIRTH", [
                metric("bdSeq", Type.INT64, self.bd_seq),
                metric("Node Control/Rebirth", Type.BOOLEAN, False),
                metric("Temperature", Type.DOUBLE, 20.0, self.temperature),
                metric("Running", Type.BOOLEAN, True, self.running),
            ], dtypes=True)  # fmt: skip
            self._say(
                "DBIRTH", [metric("Level", Type.INT32, -1, self.level)], "tank 1", dtypes=True
            )

    def kill(self) -> None:
        """The connection breaks; the broker publishes the will."""
        self.client.loop_stop()
        self.client.socket().close()  # type: ignore[union-attr]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _death(self) -> Any:
        return sparkplug.NDeath(NOW(), metric("bdSeq", Type.INT64, self.bd_seq))

    def _say(
        self, kind: str, metrics: Sequence[Any], device: str = "", *, dtypes: bool = False
    ) -> None:
        with self._lock:
            made = {"NBIRTH": sparkplug.NBirth, "DBIRTH": sparkplug.DBirth}.get(
                kind, sparkplug.NData
            )
            payload = made(NOW(), self.seq % 256, tuple(metrics)).encode(include_dtypes=dtypes)
            self.seq += 1
            self.client.publish(self.topic(kind, device), payload, qos=0)

    def _on_connect(self, *_rest: object) -> None:
        self.client.subscribe(self.topic("NCMD"), qos=1)
        self.birth()
        self.born.set()

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        command = sparkplug.NCmd.decode(message.payload)
        if any(each.name == "Node Control/Rebirth" and each.value for each in command.metrics):
            self.rebirths += 1
            if not self.mute:
                self.birth()
