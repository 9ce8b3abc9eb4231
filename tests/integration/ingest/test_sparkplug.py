"""Sparkplug B over a real broker: births, gaps, restarts of either side."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from gateway.feed import from_rows
from headrace.journal import JournalReader
from headrace.limits.sizes import GIB
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import pysparkplug_node, wait_until
from tests.servers.mosquitto import Mosquitto, mosquitto
from tests.servers.sparkplug import FOLDER, Node

CONFIG = "[sparkplug]\nenabled = true\n"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def gateway(programs: Programs, broker: Mosquitto) -> Gateway:
    made = make_gateway(programs, kind="external", mqtt_port=broker.port, extra=[CONFIG])
    made.start()
    wait_until(lambda: made.metric("headrace_gateway_sparkplug_connected") == 1, 20, "host online")
    return made


def readings(gateway: Gateway, device: str, name: str) -> list[float | str]:
    """The values of a series in the journal, in order."""
    with JournalReader(gateway.journal) as reader:
        rows = [
            row for row in reader.read(0, max_rows=10**9, max_bytes=GIB) if row.device == device
        ]
    assert all(row.stream.startswith("gw-") for row in rows)
    found = [each for entry in from_rows(rows) for each in entry.rows.to_pylist()]
    return [each["text"] or each["value"] for each in found if each["name"] == name]


def rebirths(gateway: Gateway, why: str) -> float:
    return gateway.metric(f'headrace_gateway_sparkplug_rebirths_total{{reason="{why}"}}')


def quarantined(gateway: Gateway) -> float:
    return gateway.metric('headrace_gateway_refused_batches_total{reason="bad_schema"}')


def test_what_aliases_mean_is_written_beside_them(gateway: Gateway, broker: Mosquitto) -> None:
    """Node and device, in journal rows that need no session."""
    node = Node("plant", "line-1", broker.port)
    node.data(21.5)
    node.device_data(-7)
    wait_until(lambda: readings(gateway, "plant.line-1", "Temperature") == [20.0, 21.5], 10, "node")
    wait_until(
        lambda: readings(gateway, "plant.line-1.tank_201", "Level") == [-1.0, -7.0], 10, "device"
    )
    assert node.rebirths == 0
    online = {row["device"]: row["online"] for row in gateway.get("api/v1/devices")}
    assert online["plant.line-1"] is True
    node.kill()
    wait_until(lambda: not any(row["online"] for row in gateway.get("api/v1/devices") if row["device"].startswith("plant.")), 20, "dead")  # fmt: skip


def test_a_gap_is_answered_with_a_rebirth_and_nothing_is_misread(gateway: Gateway, broker: Mosquitto) -> None:  # fmt: skip
    """What came behind the gap waits for the birth."""
    node = Node("plant", "line-1", broker.port)
    node.data(21.0)
    node.lose()
    node.data(22.0)
    wait_until(lambda: readings(gateway, "plant.line-1", "Temperature") == [20.0, 21.0, 20.0, 22.0], 10, "all")  # fmt: skip
    assert (node.rebirths, rebirths(gateway, "gap")) == (1, 1)
    node.data(23.0)
    wait_until(lambda: readings(gateway, "plant.line-1", "Temperature")[-1] == 23.0, 10, "goes on")
    assert node.rebirths == 1
    node.close()


def test_a_gateway_that_comes_late_asks_once(programs: Programs, broker: Mosquitto) -> None:
    """Data before any birth: held, asked for, understood."""
    node = Node("plant", "line-1", broker.port)
    gateway = make_gateway(programs, kind="external", mqtt_port=broker.port, extra=[CONFIG])
    gateway.start()
    wait_until(
        lambda: gateway.metric("headrace_gateway_sparkplug_connected") == 1, 20, "host online"
    )
    for value in range(50):
        node.data(float(value))
    wait_until(lambda: len(readings(gateway, "plant.line-1", "Temperature")) == 51, 10, "all, and the birth")  # fmt: skip
    assert (node.rebirths, rebirths(gateway, "unborn")) == (1, 1)
    assert sorted(readings(gateway, "plant.line-1", "Temperature")) == sorted([20.0, *map(float, range(50))])  # fmt: skip
    node.close()


def test_a_gateway_that_was_killed_believes_no_alias_of_before(gateway: Gateway, broker: Mosquitto) -> None:  # fmt: skip
    """Node and gateway are born again, with other aliases: nothing lands on the wrong series."""
    node = Node("plant", "line-1", broker.port)
    node.data(21.0)
    wait_until(lambda: len(readings(gateway, "plant.line-1", "Temperature")) == 2, 10, "before")
    gateway.program.kill()
    node.kill()
    again = Node("plant", "line-1", broker.port, bd_seq=1, first_alias=2)
    gateway.start()
    wait_until(
        lambda: gateway.metric("headrace_gateway_sparkplug_connected") == 1, 20, "host online"
    )
    again.data(31.0)
    again.device_data(5)
    wait_until(lambda: readings(gateway, "plant.line-1", "Temperature")[-1] == 31.0, 10, "after")
    wait_until(lambda: readings(gateway, "plant.line-1.tank_201", "Level")[-1] == 5.0, 10, "device")
    assert set(readings(gateway, "plant.line-1", "Running")) == {1.0}
    again.close()


def test_data_of_a_node_that_is_never_reborn_end_in_quarantine(gateway: Gateway, broker: Mosquitto) -> None:  # fmt: skip
    """Whole, with the reason; nothing is guessed."""
    node = Node("plant", "line-1", broker.port)
    node.mute = True
    node.lose()
    node.data(22.0)
    node.data(23.0)
    wait_until(lambda: quarantined(gateway) == 2, 30, "both")
    assert readings(gateway, "plant.line-1", "Temperature") == [20.0]
    node.close()


def test_the_host_says_that_it_is_there_and_that_it_is_gone(gateway: Gateway, broker: Mosquitto) -> None:  # fmt: skip
    """Retained; also by its last will; and again when somebody says otherwise."""
    said: list[bool] = []
    changed = threading.Event()

    def on_message(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        said.append(json.loads(message.payload)["online"])
        changed.set()

    reader = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    reader.on_message = on_message
    reader.connect("127.0.0.1", broker.port)
    reader.subscribe("spBv1.0/STATE/site-1", qos=1)
    reader.loop_start()
    wait_until(lambda: said == [True], 10, "retained")
    reader.publish("spBv1.0/STATE/site-1", b'{"online":false,"timestamp":0}', qos=1, retain=True)
    wait_until(lambda: said == [True, False, True], 10, "here")
    gateway.program.kill()
    wait_until(lambda: said[-1] is False, 10, "by the will")
    gateway.start()
    wait_until(lambda: said[-1] is True, 10, "back")
    assert gateway.program.stop() == 0
    wait_until(lambda: said[-1] is False, 10, "by its own word")
    reader.disconnect()
    reader.loop_stop()


def test_a_node_of_others_is_understood(gateway: Gateway, broker: Mosquitto) -> None:
    """pysparkplug as it is: names and types in every message, no answer to rebirth requests."""
    node = subprocess.Popen(
        [sys.executable, Path(pysparkplug_node.__file__), FOLDER, str(broker.port), "300"],
        stdin=subprocess.PIPE,
    )
    try:
        expected = [-1.0, *map(float, range(300))]
        wait_until(lambda: readings(gateway, "plant.theirs", "Level") == expected, 30, "node")
        wait_until(
            lambda: readings(gateway, "plant.theirs.tank", "Level") == expected, 30, "device"
        )
        assert sum(rebirths(gateway, why) for why in ("gap", "unborn", "unknown")) == 0
    finally:
        node.communicate(timeout=20)


def test_the_embedded_broker_serves_nodes_as_well(programs: Programs) -> None:
    """The host is a client of it like they are."""
    gateway = make_gateway(programs, extra=[CONFIG])
    gateway.start()
    wait_until(
        lambda: gateway.metric("headrace_gateway_sparkplug_connected") == 1, 20, "host online"
    )
    node = Node("plant", "line-1", gateway.mqtt_port)
    node.data(21.5)
    wait_until(lambda: readings(gateway, "plant.line-1", "Temperature") == [20.0, 21.5], 10, "node")
    node.close()
