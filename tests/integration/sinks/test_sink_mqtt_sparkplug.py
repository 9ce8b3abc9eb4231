"""The MQTT sink as a Sparkplug node: what a host of others reads, and a host of ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from msgspec.structs import replace

from gateway.feed import from_rows
from gateway.sinks.mqtt import MqttSettings, build
from headrace.journal import JournalReader
from headrace.limits.sizes import GIB
from headrace.ranges import RangeSet
from tests.batches import payload
from tests.devices import Device
from tests.gateway_entries import START, entry, rows
from tests.programs import Programs, make_gateway
from tests.servers import wait_until
from tests.servers.link import Link
from tests.servers.mosquitto import Mosquitto, mosquitto
from tests.servers.sparkplug import NOW, Type, metric, sparkplug

STREAM = "0123456789abcdef"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


class Host:
    """Hears everything, in order: kind, device, payload as the other library reads it."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, str, Any]] = []
        self.qos: list[tuple[str, int]] = []
        self._births: dict[str, Any] = {}
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("spBv1.0/#", qos=1)
        self._client.loop_start()
        assert subscribed.wait(10)

    def ask_for_rebirth(self, node: str) -> None:
        command = sparkplug.NCmd(NOW(), (metric("Node Control/Rebirth", Type.BOOLEAN, True),))
        self._client.publish(f"spBv1.0/headrace/NCMD/{node}", command.encode(include_dtypes=True))

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.heard]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        _, _, kind, _, *device = message.topic.split("/")
        reader = {"NBIRTH": sparkplug.NBirth, "DBIRTH": sparkplug.DBirth, "DDATA": sparkplug.DData, "NDEATH": sparkplug.NDeath}.get(kind)  # fmt: skip
        if reader is None:
            return
        name = device[0] if device else ""
        said = reader.decode(message.payload, birth=self._births.get(name))
        if kind.endswith("BIRTH"):
            self._births[name] = said
        self.qos.append((kind, message.qos))
        self.heard.append((kind, name, said))


def test_births_say_what_data_mean_and_come_again_when_asked_for(broker: Mosquitto) -> None:
    """NBIRTH, a DBIRTH before the first data of a device and at each new series, seq without gaps."""
    host = Host(broker.port)
    sink = build(MqttSettings(port=broker.port, profile="sparkplug"), site="plant-a")
    batch = entry("pump-1", rows(["flow", "state"], [START, START + 1_000], [1.5, "on"]))
    batch = replace(batch, units={"flow": "m3/h"})
    assert sink.write([batch]) == []
    late = entry(
        "pump-1", rows(["flow", "flow"], [START - 5_000, START + 2_000], [0.5, 2.5]), offset=2
    )
    assert sink.write([late]) == []
    assert sink.write([entry("pump-1", rows(["rpm"], [START + 3_000], [900.0]), offset=3)]) == []
    wait_until(lambda: len(host.heard) == 6, 10, "all")
    assert host.kinds() == ["NBIRTH", "DBIRTH", "DDATA", "DDATA", "DBIRTH", "DDATA"]
    assert [said.seq for _, _, said in host.heard] == list(range(6))
    data = host.heard[2][2]
    assert [(each.name, each.value, each.timestamp) for each in data.metrics] == [
        ("flow", 1.5, START // 1_000),
        ("state", "on", START // 1_000 + 1),
    ]
    assert [each.is_historical for each in host.heard[3][2].metrics] == [True, False]
    assert {each.name: each.value for each in host.heard[4][2].metrics} == {
        "flow": 2.5, "state": "on", "rpm": None,
    }  # fmt: skip
    host.ask_for_rebirth("plant-a")

    def reborn() -> bool:
        sink.idle()
        return host.kinds()[6:] == ["NBIRTH", "DBIRTH"]

    wait_until(reborn, 10, "reborn")
    assert [said.seq for _, _, said in host.heard[6:]] == [0, 1]
    sink.close()
    wait_until(lambda: host.kinds()[-1] == "NDEATH", 10, "dead")
    host.close()


@pytest.mark.parametrize("qos", [0, 1])
def test_births_and_data_have_the_qos_of_the_specification_unless_told_otherwise(
    broker: Mosquitto, qos: int
) -> None:
    """tck-id-payloads-nbirth-qos, -dbirth-qos, -ddata-qos: 0; the death's is the will's, 1."""
    host = Host(broker.port)
    more = {"sparkplug_qos": 1} if qos else {}
    sink = build(MqttSettings(port=broker.port, profile="sparkplug", **more), site="plant-a")  # type: ignore[arg-type]
    assert sink.write([entry("pump-1", rows(["flow"], [START], [1.5]))]) == []
    sink.close()
    wait_until(lambda: len(host.qos) == 4, 10, "all")
    assert host.qos == [("NBIRTH", qos), ("DBIRTH", qos), ("DDATA", qos), ("NDEATH", 1)]
    host.close()


def test_a_delivery_that_takes_longer_than_the_timeout_is_no_failure_while_it_goes_on(
    broker: Mosquitto,
) -> None:
    """3 s over a slow line, with a second of patience: the broker is asked on the way."""
    link = Link(broker.port)
    settings = MqttSettings(port=link.port, profile="sparkplug", timeout_s=1)
    sink = build(settings, site="plant-a")
    assert sink.write([entry("pump-1", rows(["flow"], [START], [1.5]))]) == []
    link.slow(0.15)
    count = 60_000
    long = rows(["flow"] * count, [START + at for at in range(count)], [float(at) for at in range(count)])  # fmt: skip
    assert sink.write([entry("pump-1", long, offset=2)]) == []
    link.mend()
    sink.close()
    link.close()


def test_a_gateway_reads_what_another_writes(programs: Programs, broker: Mosquitto) -> None:
    """Over a kill of the writing one: nothing is lost; what came twice is marked."""
    (programs.folder / "far").mkdir()
    far = make_gateway(
        Programs(programs.folder / "far"), kind="external", mqtt_port=broker.port,
        data=programs.folder / "far" / "data", extra=["[sparkplug]\nenabled = true\n"],
    )  # fmt: skip
    sink = f'[vitals]\nenabled = false\n[[sinks]]\nplugin = "mqtt"\nprofile = "sparkplug"\nport = {broker.port}\nrequired = true\n'  # fmt: skip
    near = make_gateway(programs, extra=[sink])

    def arrived() -> set[float]:
        with JournalReader(far.journal) as reader:
            found = reader.read(0, max_rows=10**9, max_bytes=GIB)
        mine = [row for row in found if row.device == "headrace.site-1.pump-1"]
        return {
            value for each in from_rows(mine) for value in each.rows.column("value").to_pylist()
        }

    try:
        far.start()
        wait_until(lambda: far.metric("headrace_gateway_sparkplug_connected") == 1, 20, "host")
        near.start()
        device = Device("pump-1", near.mqtt_port)
        for at in range(20):
            device.publish(payload(STREAM, 1 + at * 50, 50))
        device.wait_acked(1_000)
        near.program.kill()
        device.close()
        near.start()
        wait_until(lambda: len(arrived()) >= 1_000, 40, "all")
        assert RangeSet((int(value), int(value)) for value in arrived()).count == 1_000
        assert far.metric('headrace_gateway_refused_batches_total{reason="bad_schema"}') == 0
    finally:
        if far.program.running:
            far.program.kill()
