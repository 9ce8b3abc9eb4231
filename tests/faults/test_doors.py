"""Bad input at the doors of the embedded broker, while an honest device delivers beside it.

Each attack is refused and counted by its reason; the honest device's acks stay quick, and the memory of
the gateway within bounds.
"""

from __future__ import annotations

import random
import socket

import pytest

from gateway.broker.passwords import new_password, write_user
from headrace.limits.broker import BROKER_MAX_SUBSCRIPTIONS
from headrace.limits.sizes import MIB
from headrace.limits.wire import MAX_PAYLOAD_BYTES
from tests.enrolment import Client
from tests.faults.attacker import (
    Attacker,
    connect_packet,
    is_ended,
    packet,
    publish_packet,
    send_until_ended,
    string,
    subscribe_packet,
    wait_for,
)
from tests.faults.watch import TOPICS, Watch
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import wait_until

USERS = ("honest", "thief", "victim")
METRIC = "headrace_gateway_denied_connections_total"
MESSAGES = "headrace_gateway_denied_messages_total"


@pytest.fixture(scope="module")
def passwords() -> dict[str, str]:
    return {name: new_password() for name in USERS}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, passwords):
    """One gateway for all attacks: what one leaves behind, the next would meet."""
    folder = tmp_path_factory.mktemp("doors")
    for name, word in passwords.items():
        write_user(folder / "users", name, word)
    programs = Programs(folder)
    broker = f'auth = "password"\npassword_file = "{folder / "users"}"'
    made = make_gateway(programs, broker=broker)
    made.start()
    made.wait_ready()
    yield made
    programs.close()


@pytest.fixture
def watch(gateway, passwords):
    """The honest device, and its demands."""
    client = Client("honest", gateway.mqtt_port, user=("honest", passwords["honest"])).connect()
    with Watch(gateway, client, "honest", slowest_s=5, growth_mb=120) as watching:
        yield watching
    client.close()


@pytest.fixture
def attacker(gateway):
    made = Attacker(gateway.mqtt_port)
    yield made
    made.close()


@pytest.fixture
def thief(attacker, passwords):
    """Enters as a device that may publish its own data, and means no good."""

    def enter(client_id: str = "thief", **more) -> socket.socket:
        return attacker.enter(client_id, "thief", passwords["thief"], **more)

    return enter


def refusals(gateway: Gateway, reason: str) -> float:
    return gateway.metric(f'{METRIC}{{reason="{reason}"}}')


def denials(gateway: Gateway, action: str) -> float:
    return gateway.metric(f'{MESSAGES}{{action="{action}"}}')


def test_half_open_connections_do_not_keep_others_out(gateway, watch, attacker):
    """Slowloris: some bytes of a CONNECT each, and no more."""
    before = refusals(gateway, "timeout"), refusals(gateway, "rate")
    for _ in range(150):
        attacker.open(connect_packet("slow")[:5])
    assert refusals(gateway, "rate") > before[1]
    assert all(is_ended(each) for each in attacker.sockets)
    assert refusals(gateway, "timeout") > before[0]


def test_a_storm_of_connections_is_held_to_its_share(gateway, watch, attacker):
    """Thousands, as fast as one machine opens them; most are closed before they cost anything."""
    before = refusals(gateway, "rate")
    for _ in range(3_000):
        attacker.open().close()
        attacker.sockets.pop()
    wait_until(lambda: refusals(gateway, "rate") > before + 1_000, 10, "refusals")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("endless CONNECT", packet(0x10, claim=256 * MIB - 1), "too_large"),
        ("no CONNECT", packet(0xC0), "protocol"),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "protocol"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), "protocol"),
        ("nobody", connect_packet("x"), "password"),
        ("a wrong password", connect_packet("x", user="thief", password="guess"), "password"),
        ("another version", packet(0x10, string("MQTT") + b"\x05\x02\0\x3c\0" + string("x")), "version"),
    ],
)  # fmt: skip
def test_who_does_not_come_in_properly_is_refused(gateway, watch, attacker, name, data, reason):
    """And told so by the end of the connection."""
    before = refusals(gateway, reason)
    assert is_ended(attacker.open(data))
    assert refusals(gateway, reason) == before + 1


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a payload of 256 MiB", packet(0x30, string("a"), claim=256 * MIB - 1), "too_large"),
        ("one byte too much", packet(0x30, claim=MAX_PAYLOAD_BYTES + 1_024 + 5), "too_large"),
        ("an endless SUBSCRIBE", packet(0x82, claim=MIB), "too_large"),
        ("a long topic", packet(0x30, string("a" * 5_000)), "topic"),
        ("a deep topic", packet(0x30, string("/" * 100)), "topic"),
        ("a wildcard", packet(0x30, string("headrace/v1/+/ack")), "topic"),
        ("a field that lies", packet(0x82, b"\0\1\xff\xff"), "protocol"),
        ("an ack of nothing", packet(0x40, b"\0\1"), "protocol"),
    ],
)
def test_who_is_in_and_breaks_the_rules_is_put_out(gateway, watch, thief, name, data, reason):
    """Before what he announces is read."""
    before = refusals(gateway, reason)
    connection = thief()
    connection.sendall(data)
    assert is_ended(connection)
    assert refusals(gateway, reason) == before + 1


def test_garbage_ends_connections_and_nothing_else(gateway, watch, attacker, thief):
    """Random bytes, and good packets with some bytes changed; inside and outside."""
    chance = random.Random(8)
    good = publish_packet(TOPICS.data("thief", "arrow"), b"x" * 50, qos=1)
    for _ in range(60):
        attacker.open(chance.randbytes(200))
        bent = bytearray(good * 3)
        for _ in range(4):
            bent[chance.randrange(len(bent))] = chance.randrange(256)
        thief().sendall(bytes(bent))
    watch.wait_rounds(3)
    assert gateway.is_ready()
    assert "ended by a fault" not in gateway.program.output()


def test_topics_without_end_are_forgotten_again(gateway, watch, thief):
    """100,000 of them: own ones, where the format is made up, and others'."""
    before = denials(gateway, "publish")
    connection = thief()
    for begin in range(0, 100_000, 1_000):
        numbers = range(begin, begin + 1_000)
        sent = b"".join(
            publish_packet(f"headrace/v1/d{number}/data/arrow", b"") for number in numbers
        )
        connection.sendall(sent)
    wait_until(lambda: denials(gateway, "publish") == before + 100_000, 120, "100,000 denials")


def test_another_devices_topics_stay_its_own(gateway, watch, thief, attacker, passwords):
    """Data, forged acks, retained states, last wills, and everything by subscription."""
    victim = Client("victim", gateway.mqtt_port, user=("victim", passwords["victim"])).connect()
    victim.subscribe(TOPICS.ack("victim"))
    connection = thief()
    for topic in (TOPICS.data("victim", "arrow"), TOPICS.ack("victim"), TOPICS.state("victim")):
        connection.sendall(publish_packet(topic, b"{}", retain=True))
    connection.sendall(subscribe_packet("#", "headrace/v1/+/ack", "headrace/v1/victim/ack"))
    answer = connection.recv(64)
    assert answer[-3:] == b"\x80\x80\x80"
    before = refusals(gateway, "will")
    will = connect_packet("w", user="thief", password=passwords["thief"], will=TOPICS.ack("victim"))
    assert is_ended(attacker.open(will))
    assert refusals(gateway, "will") == before + 1
    watch.wait_rounds(3)
    assert not victim.heard
    victim.close()


def test_subscriptions_are_bounded(gateway, watch, thief):
    """Every message is compared with every filter."""
    before = denials(gateway, "subscription")
    connection = thief()
    for number in range(1, BROKER_MAX_SUBSCRIPTIONS + 21):
        filters = f"headrace/v1/thief/model/{number}"
        connection.sendall(subscribe_packet(filters, number=number))
    wait_until(lambda: denials(gateway, "subscription") == before + 20, 10, "20 refused")


def test_sessions_that_wait_are_bounded(gateway, watch, thief):
    """A client id flood: each a session that would wait for a day."""
    before = denials(gateway, "session")
    for number in range(30):
        connection = thief(f"flood-{number}", clean=False)
        connection.sendall(packet(0xE0))
        assert is_ended(connection)
    assert denials(gateway, "session") >= before + 20


def test_messages_that_are_never_released_are_bounded(gateway, watch, thief):
    """QoS 2 without PUBREL."""
    before = refusals(gateway, "qos2")
    connection = thief()
    data = b"".join(
        publish_packet(TOPICS.data("thief", "line"), b"x" * 500_000, qos=2, number=number)
        for number in range(1, 100)
    )
    send_until_ended(connection, data, 3)
    wait_until(lambda: refusals(gateway, "qos2") == before + 1, 20, "put out")


def test_a_qos_2_message_that_is_released_arrives(thief):
    """The four packets of it, and then its answer."""
    connection = thief()
    connection.sendall(publish_packet(TOPICS.data("thief", "xml"), b"<a/>", qos=2, number=7))
    assert connection.recv(4) == b"\x50\x02\x00\x07"
    connection.sendall(subscribe_packet(TOPICS.nack("thief")))
    assert connection.recv(5)[:1] == b"\x90"
    connection.sendall(packet(0x62, b"\0\7"))
    assert connection.recv(4) == b"\x70\x02\x00\x07"
    wait_for(connection, b"unknown_format")


def test_one_client_id_has_one_connection(gateway, watch, thief):
    """Two that fight for it end each other, and nobody else."""
    before = refusals(gateway, "taken_over")
    connections = [thief("same", clean=number % 2 == 0) for number in range(20)]
    assert all(is_ended(each) for each in connections[:-1])
    assert refusals(gateway, "taken_over") == before + 19
    last = connections[-1]
    last.sendall(subscribe_packet(TOPICS.nack("thief")))
    last.sendall(publish_packet(TOPICS.data("thief", "xml"), b"<a/>"))
    wait_for(last, b"unknown_format")


def test_who_does_not_read_gets_no_more_and_is_put_out(gateway, watch, thief):
    """Its messages would fill our memory: 60 MB here."""
    before = refusals(gateway, "slow_reader"), denials(gateway, "deliver")
    own = "headrace/v1/thief/model/reported"
    connection = thief()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(publish_packet(own, b"x" * MIB, retain=True))
    for number in range(1, 61):
        connection.sendall(subscribe_packet(own, number=number) + packet(0xC0))
    wait_until(lambda: refusals(gateway, "slow_reader") == before[0] + 1, 60, "put out")
    assert denials(gateway, "deliver") > before[1]


def test_a_client_that_falls_silent_is_put_out_after_its_keep_alive(gateway, watch, thief):
    """amqtt would keep it for ever."""
    before = refusals(gateway, "timeout")
    connection = thief(keep_alive=1)
    assert is_ended(connection)
    assert refusals(gateway, "timeout") == before + 1
