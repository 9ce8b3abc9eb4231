"""Messages of a local broker: topics, payloads and units."""

from __future__ import annotations

import json
import logging

import pytest

from edge_agent.inputs.mqtt.payload import readings
from edge_agent.inputs.mqtt.settings import MqttSettings, TopicSettings
from edge_agent.inputs.mqtt.topics import Template
from edge_agent.inputs.values import Complaints
from edge_agent.readings import Run

LOG = logging.getLogger("test")


def read(
    payload: object, *, topic: TopicSettings | None = None, complaints: Complaints | None = None
) -> dict[str, tuple[object, str]]:
    topic = topic or TopicSettings(topic="zigbee2mqtt/{device}")
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    runs: list[Run] = list(
        readings(
            topic, {"device": "d"}, raw, 1_000, prefix="", complaints=complaints or Complaints(LOG)
        )
    )
    assert all(list(run.times) == [1_000] for run in runs)
    return {run.name: (run.values[0], run.unit) for run in runs}


def test_zigbee2mqtt_gives_a_reading_per_number_and_switch() -> None:
    """Times, states of an update and nulls are passed over; a voltage has no sure unit."""
    payload = {
        "temperature": 21.5, "humidity": 48.1, "pressure": 1012.3, "battery": 97, "voltage": 2985,
        "linkquality": 120, "last_seen": "2026-11-23T06:00:00Z", "contact": True, "state": "OFF",
        "update": {"state": "idle", "installed_version": 5}, "illuminance": None,
    }  # fmt: skip
    complaints = Complaints(LOG)
    assert read(payload, complaints=complaints) == {
        "d/temperature": (21.5, "Cel"), "d/humidity": (48.1, "%RH"), "d/pressure": (1012.3, "hPa"),
        "d/battery": (97.0, "%EL"), "d/voltage": (2985.0, ""), "d/linkquality": (120.0, ""),
        "d/contact": (1.0, ""), "d/state": (0.0, ""),
    }  # fmt: skip
    assert not complaints.take()


def test_tasmota_sensor_and_state() -> None:
    """Nested paths; the unit of ENERGY's power is known; Fahrenheit is converted."""
    sensor = {
        "Time": "2026-11-23T06:00:00", "AM2301": {"Temperature": 68.0, "Humidity": 40.0, "DewPoint": 50.0},
        "DS18B20": {"Id": "0316A2791FFF", "Temperature": 212.0},
        "ENERGY": {"TotalStartTime": "2024-01-01T00:00:00", "Total": 3.2, "Power": [12, 13], "Voltage": 230},
        "TempUnit": "F",
    }  # fmt: skip
    topic = TopicSettings(topic="tele/{device}/SENSOR")
    found = read(sensor, topic=topic)
    assert found == {
        "d/AM2301/Temperature": (pytest.approx(20.0), "Cel"),
        "d/AM2301/Humidity": (40.0, "%RH"),
        "d/AM2301/DewPoint": (pytest.approx(10.0), "Cel"),
        "d/DS18B20/Temperature": (pytest.approx(100.0), "Cel"),
        "d/ENERGY/Total": (3.2, "kWh"),
        "d/ENERGY/Power/0": (12.0, "W"),
        "d/ENERGY/Power/1": (13.0, "W"),
        "d/ENERGY/Voltage": (230.0, "V"),
    }
    state = {"Time": "x", "Uptime": "0T01:00:00", "UptimeSec": 3600, "POWER1": "ON", "SleepMode": "Dynamic",
             "Wifi": {"SSId": "home", "BSSId": "aa", "Mode": "11n", "RSSI": 80, "Signal": -60}}  # fmt: skip
    assert read(state, topic=topic) == {
        "d/UptimeSec": (3600.0, "s"), "d/POWER1": (1.0, ""), "d/Wifi/RSSI": (80.0, "%"),
        "d/Wifi/Signal": (-60.0, "dBm"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "value"),
    [(b"21.5", 21.5), (b" 7 \n", 7.0), (b"ON", 1.0), (b"closed", 0.0), (b"-1e3", -1000.0)],
)
def test_a_plain_payload_is_one_reading(payload: bytes, value: float) -> None:
    """Its series has no key."""
    assert read(payload) == {"d": (value, "")}


def test_a_text_is_a_reading_only_where_the_configuration_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Otherwise it is counted and said once, with what to do."""
    complaints = Complaints(LOG)
    for _ in range(3):
        assert read({"temperature": "unavailable"}, complaints=complaints) == {}
    assert complaints.take() == {"unreadable": 3}
    assert len(caplog.records) == 1
    assert "'unavailable'" in caplog.text
    assert "text or in exclude" in caplog.text
    topic = TopicSettings(topic="zigbee2mqtt/{device}", text=("action",))
    assert read({"action": "single"}, topic=topic) == {"d/action": ("single", "")}
    assert read({"temperature": "21.5"}) == {"d/temperature": (21.5, "Cel")}


@pytest.mark.parametrize(
    "payload",
    [b"{", b'{"a": ', b"\xff\xfe", b"[" * 5_000, b'{"a":' * 20 + b"1" + b"}" * 20,
     json.dumps(dict.fromkeys(map(str, range(2_000)), 1)).encode()],
)  # fmt: skip
def test_a_payload_that_is_none_raises_and_never_more(payload: bytes) -> None:
    """Broken, binary, nested too deeply, too many values."""
    with pytest.raises(ValueError):
        read(payload)


def test_numbers_that_are_none_are_counted() -> None:
    """What JSON cannot say, or a double cannot hold."""
    complaints = Complaints(LOG)
    assert (
        read(
            b'{"a": 1e999, "b": NaN, "c": "nan", "d": 1' + b"0" * 400 + b"}", complaints=complaints
        )
        == {}
    )
    assert complaints.take() == {"unreadable": 3}  # NaN is no JSON and counts as null


def test_topics_become_filters_and_names() -> None:
    """Named levels are MQTT's plus; the end may be open."""
    template = Template("tele/{device}/SENSOR", "{device}/{key}")
    assert template.filter == "tele/+/SENSOR"
    assert template.match("tele/plug/SENSOR") == {"device": "plug"}
    assert template.match("tele/plug/STATE") is None
    assert template.match("tele/plug/SENSOR/x") is None
    assert template.match("tele") is None
    rest = Template("house/+/{room}/#", "{room}/{rest}/{key}")
    assert rest.filter == "house/+/+/#"
    names = rest.match("house/1/kitchen/lamp/power")
    assert names == {"room": "kitchen", "rest": "lamp/power"}
    assert rest.name(names, "") == "kitchen/lamp/power"
    assert rest.name(names, "W") == "kitchen/lamp/power/W"


@pytest.mark.parametrize(
    ("topic", "series", "key"),
    [("a/#/b", "x", "topic"), ("a/b{c}", "x", "topic"), ("{a}/{a}", "x", "topic"), ("{key}", "x", "topic"),
     ("a/{b}", "{c}", "series"), ("a", "{}", "series"), ("a/b+", "x", "topic")],
)  # fmt: skip
def test_a_bad_template_is_a_fault_with_its_key(topic: str, series: str, key: str) -> None:
    """Before anything is subscribed."""
    rule = TopicSettings(topic=topic, series=series)
    assert [name for name, _ in MqttSettings(topics=(rule,)).problems()] == [f"topics[0].{key}"]


def test_units_of_the_configuration_go_first_and_odd_ones_are_warned_of() -> None:
    """By key, whatever its case."""
    rule = TopicSettings(
        topic="zigbee2mqtt/{device}", units={"voltage": "mV", "temperature": "weird"}
    )
    assert read({"Voltage": 3000}, topic=rule) == {"d/Voltage": (3000.0, "mV")}
    assert MqttSettings(topics=(rule,)).warnings() == [
        ("topics[0].units", "'weird' is not a SenML unit; sent as it is")
    ]
