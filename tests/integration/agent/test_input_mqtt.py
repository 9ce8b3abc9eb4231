"""The mqtt input against a real mosquitto: what devices publish becomes readings."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.inputs.mqtt import input as mqtt_input
from edge_agent.inputs.mqtt import subscriber
from edge_agent.inputs.mqtt.input import MqttInput
from edge_agent.inputs.mqtt.settings import MqttSettings, TopicSettings
from headrace.clock import SystemClock
from headrace.errors import InputError
from headrace.limits.inputs import JSON_MAX_VALUES
from tests.servers import free_port, wait_until
from tests.servers.mosquitto import EXECUTABLE, mosquitto

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")

TOPICS = (
    TopicSettings(topic="zigbee2mqtt/{device}", text=("action",)),
    TopicSettings(topic="tele/{device}/SENSOR"),
    TopicSettings(topic="plain/#", series="{rest}"),
)


class Devices:
    """A client that publishes as devices do, and knows when the broker has it."""

    def __init__(self, port: int) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def say(self, topic: str, payload: object, retain: bool = False) -> None:
        raw = payload if isinstance(payload, (bytes, str)) else json.dumps(payload)
        self.client.publish(topic, raw, qos=1, retain=retain).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Taken:
    """An input and all that its polls gave."""

    def __init__(self, port: int, **keys: Any) -> None:
        settings = MqttSettings(**{"topics": TOPICS, "port": port} | keys)
        assert not settings.problems()
        self.source = MqttInput(settings)
        self.source.open(clock=SystemClock(), checkpoint=None)
        self.values: dict[str, object] = {}
        self.most_rows = 0
        self.dropped: dict[str, int] = {}

    def poll(self) -> dict[str, object]:
        try:
            poll = self.source.poll()
        except InputError:
            return self.values
        self.most_rows = max(self.most_rows, poll.rows)
        self.values |= {run.name: run.values[0] for run in poll.runs}
        for reason, count in poll.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        return self.values


@contextmanager
def running(port: int, **keys: Any) -> Iterator[tuple[Devices, Taken]]:
    """A device and an input that is subscribed."""
    devices, taken = Devices(port), Taken(port, **keys)
    try:
        wait_until(
            lambda: (devices.say("plain/ready", "1"), "ready" in taken.poll())[1], 15, "subscribed"
        )
        yield devices, taken
    finally:
        taken.source.close()
        devices.close()


def test_payloads_of_zigbee2mqtt_tasmota_and_plain_ones_arrive(tmp_path: Path) -> None:
    """With a text where the settings take one; what is none is counted and stops nothing."""
    with mosquitto(tmp_path) as broker, running(broker.port) as (devices, taken):
        devices.say(
            "zigbee2mqtt/kitchen", {"temperature": 21.5, "contact": False, "action": "single"}
        )
        devices.say("tele/plug/SENSOR", {"Time": "x", "ENERGY": {"Power": 12}})
        devices.say("zigbee2mqtt/kitchen", b"{broken")
        devices.say("zigbee2mqtt/kitchen", {"temperature": "unavailable"})
        devices.say("other/topic", "5")
        devices.say("plain/door/front", "OPEN")
        wait_until(lambda: "door/front" in taken.poll(), 10, "the last payload")
        del taken.values["ready"]
        assert taken.values == {
            "kitchen/temperature": 21.5, "kitchen/contact": 0.0, "kitchen/action": "single",
            "plug/ENERGY/Power": 12.0, "door/front": 1.0,
        }  # fmt: skip
        assert taken.dropped == {"unreadable": 2}


@pytest.mark.parametrize("retained", [False, True])
def test_what_the_broker_retained_counts_only_where_wanted(tmp_path: Path, retained: bool) -> None:
    """Its time is unknown."""
    with mosquitto(tmp_path) as broker:
        early = Devices(broker.port)
        early.say("plain/old", "5", retain=True)
        early.close()
        with running(broker.port, retained=retained) as (devices, taken):
            devices.say("plain/new", "6", retain=True)
            wait_until(lambda: "new" in taken.poll(), 10, "what is published now")
            assert ("old" in taken.values) is retained


def test_a_broker_that_goes_is_a_failure_and_its_return_is_found(tmp_path: Path) -> None:
    """The input says so at each poll; nothing has to be restarted."""
    with mosquitto(tmp_path) as broker, running(broker.port) as (_, taken):
        port, source = broker.port, taken.source

        def fails() -> bool:
            try:
                source.poll()
            except InputError as error:
                return str(port) in str(error)
            return False

        os.kill(broker.pid, signal.SIGTERM)
        wait_until(fails, 15, "the failure is said")
        with mosquitto(tmp_path / "again", port):
            devices = Devices(port)
            wait_until(
                lambda: (devices.say("plain/back", "1"), "back" in taken.poll())[1],
                30,
                "it is back",
            )
            devices.close()


def test_a_broker_that_refuses_us_is_said_with_its_reason(tmp_path: Path) -> None:
    """A password that is missing or wrong."""
    with mosquitto(tmp_path, anonymous=False) as broker:
        taken = Taken(broker.port)

        def refused() -> bool:
            try:
                taken.source.poll()
            except InputError as error:
                return "Not authorized" in str(error)
            return False

        wait_until(refused, 15, "the refusal is said")
        taken.source.close()


def test_a_ca_that_is_none_is_said_before_anything_starts(tmp_path: Path) -> None:
    """Not as a traceback."""
    ca = tmp_path / "ca.crt"
    ca.write_text("no certificate", encoding="utf-8")
    with pytest.raises(InputError, match="ca or password_file"):
        Taken(1, tls=True, ca=ca)


def test_no_broker_at_all_is_said_with_what_to_check() -> None:
    """open() does not wait for it."""
    taken = Taken(free_port())

    def complaint() -> str:
        try:
            taken.source.poll()
        except InputError as error:
            return str(error)
        return ""

    wait_until(complaint, 15, "the failure is said")
    assert "cannot be reached" in complaint()
    assert "ACL" in complaint()
    taken.source.close()


def test_a_flood_is_bounded_and_what_does_not_fit_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest stay; a message over the limit is one that does not fit."""
    monkeypatch.setattr(subscriber, "MQTT_INPUT_MAX_WAITING", 50)
    with mosquitto(tmp_path) as broker, running(broker.port) as (devices, taken):
        own = subscriber.Subscriber(MqttSettings(topics=TOPICS, port=broker.port), lambda: 1)
        own.start()
        wait_until(lambda: (devices.say("plain/go", "1"), own.take()[0])[1], 10, "subscribed")
        devices.say("plain/big", "1" * 70_000)
        wait_until(lambda: own.dropped == 1, 10, "the large one is counted")
        own.take()
        for number in range(80):
            devices.say(f"plain/n/{number}", str(number))
        wait_until(lambda: own.dropped == 30, 10, "the last 30")
        messages, dropped = own.take()
        own.close()
        assert (len(messages), dropped) == (50, 30)
        assert messages[0].topic == "plain/n/0"
        taken.poll()


def test_one_poll_never_carries_more_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left comes with the next poll, which is asked for at once."""
    monkeypatch.setattr(mqtt_input, "MAX_POLL_ROWS", JSON_MAX_VALUES + 5)
    with mosquitto(tmp_path) as broker, running(broker.port) as (devices, taken):
        for number in range(20):
            devices.say(f"plain/n/{number}", "1")
        wait_until(lambda: "n/19" in taken.poll(), 10, "all of them")
        assert taken.most_rows <= 6
        assert taken.dropped == {}
