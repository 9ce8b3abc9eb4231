"""The embedded broker without users, on 127.0.0.1: everybody may do everything, within bounds."""

from __future__ import annotations

import json
import threading

import paho.mqtt.client as mqtt
import pytest

from headrace.limits.broker import BROKER_MAX_RETAINED
from tests.enrolment import Client
from tests.faults.attacker import Attacker, packet, publish_packet, subscribe_packet
from tests.faults.watch import TOPICS, Watch
from tests.programs import make_gateway
from tests.servers import wait_until


@pytest.fixture
def gateway(programs):
    made = make_gateway(programs, broker="max_connections = 50\nmax_connections_per_address = 40")
    made.start()
    made.wait_ready()
    return made


@pytest.fixture
def watch(gateway):
    client = Client("honest", gateway.mqtt_port).connect()
    with Watch(gateway, client, "honest", slowest_s=5, growth_mb=120) as watching:
        yield watching
    client.close()


@pytest.fixture
def attacker(gateway):
    made = Attacker(gateway.mqtt_port)
    yield made
    made.close()


def denials(gateway, action):
    return gateway.metric(f'headrace_gateway_denied_messages_total{{action="{action}"}}')


def test_a_flood_of_retained_messages_stops_at_the_bound(gateway, watch, attacker):
    """And who subscribes to everything gets what there is."""
    connection = attacker.enter("flood")
    for begin in range(0, BROKER_MAX_RETAINED + 2_000, 1_000):
        connection.sendall(
            b"".join(
                publish_packet(f"x/{number}", b"y", retain=True)
                for number in range(begin, begin + 1_000)
            )
        )
    wait_until(lambda: denials(gateway, "retain") >= 2_000, 60, "refusals")
    heard, enough = [], threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="all")
    client.on_message = lambda _c, _d, m: (heard.append(m.topic), len(heard) >= BROKER_MAX_RETAINED and enough.set())  # fmt: skip
    client.connect("127.0.0.1", gateway.mqtt_port)
    client.subscribe("x/#", 1)
    client.loop_start()
    assert enough.wait(60), len(heard)
    client.disconnect()
    client.loop_stop()


def test_batches_on_20_000_topics_do_not_keep_out_an_honest_device(gateway, watch, attacker):
    """Each from a device that nobody has seen; what is over a bound is dropped and counted."""
    connection = attacker.enter("flood")
    data = json.dumps([{"n": "t", "v": 1}]).encode()
    connection.settimeout(200)
    for begin in range(0, 20_000, 1_000):
        numbers = range(begin, begin + 1_000)
        connection.sendall(
            b"".join(publish_packet(TOPICS.data(f"d{n}", "senml-json"), data) for n in numbers)
        )
    received = 'headrace_gateway_received_batches_total{format="senml-json"}'
    dropped = 'headrace_gateway_dropped_batches_total{reason="devices"}'
    wait_until(lambda: gateway.metric(received) + gateway.metric(dropped) >= 20_000, 120, "20,000")
    watch.wait_rounds(5)


def test_connections_have_a_bound_in_all_and_by_address(gateway, attacker):
    """And when one ends its place is free."""
    metric = 'headrace_gateway_denied_connections_total{reason="address"}'
    inside = [attacker.enter(f"c{number}") for number in range(40)]
    attacker.open().settimeout(5)
    wait_until(lambda: gateway.metric(metric) == 1, 10, "a refusal")
    here = [Client(f"other-{number}", gateway.mqtt_port).connect() for number in range(10)]
    assert all(client.up.is_set() for client in here)
    assert Client("one more", gateway.mqtt_port).connect().refused
    inside[0].sendall(packet(0xE0))
    wait_until(lambda: Client("now", gateway.mqtt_port).connect().up.is_set(), 10, "a place")
    for client in here:
        client.close()


def test_many_filters_of_many_clients_do_not_stop_messages(gateway, watch, attacker):
    """Subscribing and leaving while messages are routed; nothing stays of those that left."""
    for number in range(30):
        connection = attacker.enter(f"come-and-go-{number}")
        for each in range(1, 20):
            connection.sendall(subscribe_packet(f"y/{number}/{each}/#", number=each))
        connection.sendall(packet(0xE0))
    watch.wait_rounds(5)
