"""What goes out over MQTT, and what answers to it mean; no network."""

from __future__ import annotations

import json

import pyarrow as pa
from msgspec.structs import replace

from gateway.sinks.mqtt import PLUGIN
from gateway.sinks.mqtt.config import MqttSettings, check
from gateway.sinks.mqtt.headrace import HeadraceProfile
from gateway.sinks.mqtt.message import Message
from gateway.sinks.mqtt.plain import PlainProfile
from gateway.sinks.mqtt.waiting import Waiting
from headrace import codecs, wire
from headrace.config import FaultList
from headrace.plugins import SINKS, find
from tests.gateway_entries import START, entry, rows, series

INF = float("inf")


def out(settings: MqttSettings) -> HeadraceProfile:
    return HeadraceProfile(settings, site="plant-a")


def messages(count: int = 2) -> list[Message]:
    """Ten readings each, one behind the other."""
    batches = [series("pump-1", "flow", [1.0] * 10, offset=at, first_seq=1 + at * 10) for at in range(count)]  # fmt: skip
    found, _ = out(MqttSettings()).messages(batches)
    return found


def test_a_bridged_batch_keeps_stream_and_seq_under_the_name_that_it_gets() -> None:
    """The other gateway knows it again."""
    batch = replace(series("pump-1", "flow", [1.0, 2.0], first_seq=7), units={"flow": "m3/h"})
    (message,), rejected = out(MqttSettings(device="{site}.{device}")).messages([batch])
    assert rejected == []
    assert message.topic == "headrace/v1/plant-a.pump-1/data/arrow"
    decoded = codecs.decode("arrow", message.payload, 0)
    assert (decoded.stream, decoded.first_seq, decoded.units) == (batch.stream, 7, {"flow": "m3/h"})
    assert decoded.rows.equals(batch.rows)


def test_what_a_gateway_made_crosses_over_under_the_sites_name() -> None:
    """No device may say model/, alert/ or gateway/; a stream of the gateway's loses its mark."""
    batch = entry("pump-1", rows(["alert/hot", "flow"], [START, START], ["{}", 1.0]))
    batch = replace(batch, stream="gw-00000000000000aa", units={"alert/hot": "x"})
    (message,), _ = out(MqttSettings()).messages([batch])
    decoded = codecs.decode("arrow", message.payload, 0)
    assert decoded.rows.column("name").cast(pa.utf8()).to_pylist() == ["plant-a/alert/hot", "flow"]
    assert decoded.units == {"plant-a/alert/hot": "x"}
    assert decoded.stream == "00000000000000aa"


def test_senml_leaves_out_what_it_cannot_say_and_numbers_the_rest_right() -> None:
    """Seqs follow each other in a pack, so it is cut where a reading is missing."""
    batch = series("pump-1", "flow", [1.0, 2.0, INF, 4.0, "text"], first_seq=11)
    found, (rejected,) = out(MqttSettings(encoding="senml-json")).messages([batch])
    decoded = [codecs.decode("senml-json", message.payload, 0) for message in found]
    assert [(each.first_seq, each.rows.num_rows) for each in decoded] == [(11, 2), (14, 2)]
    assert decoded[1].rows.column("text").to_pylist() == [None, "text"]
    assert decoded[0].rows.column("time").equals(batch.rows.column("time").slice(0, 2))
    assert rejected.reason == "not_sayable"
    assert rejected.rows is not None
    assert rejected.rows.column("value").to_pylist() == [INF]


def test_a_device_whose_new_name_is_none_is_rejected() -> None:
    """65 characters are too many."""
    long = "p" * 60
    found, (rejected,) = out(MqttSettings(device="{site}.{device}")).messages([series(long, "flow", [1.0])])  # fmt: skip
    assert (found, rejected.reason) == ([], "bad_device")


def test_json_has_a_topic_a_series_and_says_which_readings_it_holds() -> None:
    """A topic has no wildcard whatever the series is called."""
    profile = PlainProfile(MqttSettings(profile="json", topic="{site}/{device}/{name}"), site="a")
    batch = entry("pump-1", rows(["flow", "t+#", "flow"], [START, START + 1, START + 2], [1.5, 'say "x"', 2.5]))  # fmt: skip
    found, rejected = profile.messages([batch])
    assert rejected == []
    said = {message.topic: json.loads(message.payload) for message in found}
    assert said.keys() == {"a/pump-1/flow", "a/pump-1/t__"}
    assert said["a/pump-1/flow"] == {
        "site": "a", "device": "pump-1", "stream": batch.stream, "seq": 1,
        "readings": [{"n": "flow", "t": 1.7e9, "v": 1.5}, {"n": "flow", "t": 1.7e9 + 2e-6, "v": 2.5}],
    }  # fmt: skip
    assert said["a/pump-1/t__"]["readings"] == [{"n": "t+#", "t": 1.7e9 + 1e-6, "vs": 'say "x"'}]


def test_json_is_cut_where_a_message_is_full() -> None:
    """Every reading is in one, and none is larger than the broker takes."""
    settings = MqttSettings(profile="json", topic="{device}", max_bytes=1_024)
    found, _ = PlainProfile(settings, site="a").messages([series("pump-1", "flow", [0.1] * 100)])
    assert max(len(message.payload) for message in found) <= 1_024
    seqs = [json.loads(message.payload)["seq"] for message in found]
    sizes = [len(json.loads(message.payload)["readings"]) for message in found]
    assert sum(sizes) == 100
    assert seqs == [1 + sum(sizes[:at]) for at in range(len(sizes))]


def test_a_puback_that_is_faster_than_publish_returns_counts() -> None:
    """paho's thread may run first."""
    waiting = Waiting(messages(1), for_ack=False)
    waiting.publishes(0)
    waiting.puback(5, "")
    assert not waiting.is_over
    waiting.published(0, 5)
    assert (waiting.is_over, waiting.done, waiting.bytes) == (True, {0}, 0)


def test_a_message_is_done_when_every_reading_of_it_is_acknowledged() -> None:
    """Not with the broker's word, not with a part, not with another stream's numbers."""
    waiting = Waiting(messages(), for_ack=True)
    for place in (0, 1):
        waiting.publishes(place)
        waiting.published(place, place)
    stream = messages()[0].entry.stream
    waiting.puback(0, "")
    waiting.ack("pump-1", wire.Ack("f" * 16, [(1, 20)]))
    waiting.ack("pump-2", wire.Ack(stream, [(1, 20)]))
    waiting.ack("pump-1", wire.Ack(stream, [(1, 6), (11, 13)]))
    assert waiting.done == set()
    waiting.ack("pump-1", wire.Ack(stream, [(7, 12)]))
    assert waiting.done == {0}
    waiting.ack("pump-1", wire.Ack(stream, [(14, 20)]))
    assert waiting.is_over


def test_a_nack_names_a_message_by_its_checksum_or_its_readings() -> None:
    """The rest goes on."""
    out_there = messages()
    waiting = Waiting(out_there, for_ack=True)
    for place in (0, 1):
        waiting.publishes(place)
    crc = wire.payload_crc(out_there[1].payload)
    waiting.nack("pump-1", wire.Nack("", [], "bad_value", "why", crc))
    assert waiting.refused == {1: ("bad_value", "why")}
    waiting.nack("pump-1", wire.Nack(out_there[0].entry.stream, [(1, 10)], "bad_value"))
    assert waiting.is_over
    assert waiting.done == set()


def test_settings_that_cannot_work_are_faults() -> None:
    """All at once, each with its key."""
    assert find(SINKS, "mqtt") is PLUGIN
    found = FaultList()
    check(MqttSettings(device="{name}", topic="{what}/x"), "sinks[0]", found)
    check(MqttSettings(device="all", topic="{"), "sinks[1]", found)
    assert [fault.key for fault in found.faults] == [
        "sinks[0].topic", "sinks[0].device", "sinks[1].topic", "sinks[1].device",
    ]  # fmt: skip
