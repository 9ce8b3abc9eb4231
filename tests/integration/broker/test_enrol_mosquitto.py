"""Mutual TLS with a real mosquitto, configured by `gateway mosquitto-config`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headrace.journal import JournalReader
from tests.batches import payload
from tests.enrolment import TOPICS, Client, run_enroll, run_gateway, tls_context
from tests.mosquitto_site import mosquitto_site
from tests.servers import wait_until
from tests.servers.agent import agent, log_of, write_agent_config
from tests.servers.mosquitto import EXECUTABLE

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")

STREAM = "0123456789abcdef"
HOST = '[[inputs]]\nplugin = "host"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mosquitto")


@pytest.fixture(scope="module")
def site(folder):
    """As the documentation sets it up, with pump-1 and pump-2 enrolled."""
    with mosquitto_site(folder, broker="connections = 2") as made:
        made.enrol("pump-1", folder)
        made.enrol("pump-2", folder)
        yield made


@pytest.fixture
def connect(site, folder):
    """Connects a client with the certificate of a device; all are closed at the end."""
    made: list[Client] = []

    def make(device: str, **more) -> Client:
        certificates = folder / device
        context = tls_context(certificates / "ca.crt", certificates)
        made.append(Client(f"test-{device}", site.gateway.mqtt_port, context, **more))
        return made[-1].connect()

    yield make
    for client in made:
        client.close()


def readings_of(site, device: str) -> int:
    with JournalReader(site.gateway.journal) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=10**9)
    return sum(row.rows for row in rows if row.device == device)


def take(client: Client, topic: str, message: bytes) -> None:
    """Publish and wait until mosquitto is done with it: it acknowledges what it denies, or hangs up."""
    sent = client.publish(topic, message)
    wait_until(lambda: sent.is_published() or client.down.is_set(), 10, "mosquitto is done with it")


def test_an_enrolled_agent_delivers(site, tmp_path):
    """Through mosquitto to the gateway, which has its own certificate, and the acks back."""
    config = write_agent_config(tmp_path, port=1, inputs=HOST, device="my-device")
    result = run_enroll(site.url, site.invite("host-1"), "--write-config", config)
    assert result.exit_code == 0, result.output
    with agent(config) as process:
        wait_until(lambda: readings_of(site, "host-1") > 0, 20, f"readings: {log_of(config)}")
        process.terminate()
        process.wait(15)
    assert " 0 buffered" in log_of(config)


def test_a_client_without_a_certificate_does_not_come_in(site, folder):
    """The handshake ends it."""
    context = tls_context(folder / "pump-1" / "ca.crt")
    assert Client("x", site.gateway.mqtt_port, context).connect().refused


def test_a_strangers_certificate_does_not_come_in(site, folder, tmp_path):
    """One of another site's CA, in the name of pump-1."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from edge_agent.enrol.request import new_key, request_for
    from gateway.enrol.authority import Authority
    from headrace.clock import SystemClock

    other = Authority(tmp_path / "pki", site="other", clock=SystemClock())
    (tmp_path / "device.key").write_bytes(new_key())
    made = other.issue(request_for(tmp_path / "device.key"), "pump-1", 10)
    (tmp_path / "device.crt").write_bytes(made.public_bytes(Encoding.PEM))
    context = tls_context(folder / "pump-1" / "ca.crt", tmp_path)
    assert Client("x", site.gateway.mqtt_port, context).connect().refused


def test_a_device_cannot_publish_or_hear_under_anothers_name(site, connect):
    """mosquitto grants the subscription and delivers nothing; what is published vanishes."""
    thief = connect("pump-1")
    thief.subscribe(TOPICS.ack("pump-2"))
    owner = connect("pump-2")
    owner.subscribe(TOPICS.ack("pump-2"))
    owner.publish(TOPICS.data("pump-2", "arrow"), payload(STREAM, 1, 10))
    wait_until(lambda: owner.heard, 10, "the owner's ack")
    take(thief, TOPICS.data("pump-2", "arrow"), payload(STREAM, 1000, 7))
    take(thief, TOPICS.ack("pump-2"), b"{}")
    owner.publish(TOPICS.data("pump-2", "arrow"), payload(STREAM, 11, 10))
    wait_until(lambda: len(owner.heard) == 2, 10, "the owner's next ack")
    assert b"[[11,20]]" in owner.heard[1][1].replace(b" ", b"")
    assert not thief.heard
    assert readings_of(site, "pump-2") == 20


def test_revoke_cuts_a_device_off_at_once(site, folder, connect):
    """When the command returns, its connection has ended and the next is refused; others go on."""
    site.enrol("pump-3", folder)
    other, client = connect("pump-1"), connect("pump-3")
    client.subscribe(TOPICS.ack("pump-3"))
    client.publish(TOPICS.data("pump-3", "arrow"), payload(STREAM, 1, 10))
    wait_until(lambda: client.heard, 10, "an ack while it is enrolled")
    site.revoke("pump-3")
    assert client.down.wait(20)
    assert connect("pump-3").refused
    other.subscribe(TOPICS.ack("pump-1"))
    other.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 1, 10))
    wait_until(lambda: other.heard, 10, "an ack for the other one")
    assert readings_of(site, "pump-3") == 10
    assert not other.down.is_set()


def test_devices_that_are_revoked_in_one_second_are_all_out(site, folder, connect):
    """Of two lists of the same second OpenSSL would go by the older one."""
    for name in ("pump-6", "pump-7"):
        site.enrol(name, folder)
    clients = [connect("pump-6"), connect("pump-7")]
    for name in ("pump-6", "pump-7"):
        site.revoke(name)
    assert all(client.down.wait(20) for client in clients)
    assert all(connect(name).refused for name in ("pump-6", "pump-7"))


def test_the_acl_alone_keeps_a_revoked_device_from_speaking(site, folder):
    """What stands between the row in the registry and the new list: no topic is its own any more."""
    site.enrol("pump-9", folder)
    site.revoke("pump-9")
    text = (folder / "conf" / "acl").read_text(encoding="utf-8")
    assert "user pump-9\ntopic deny headrace/v1/#" in text


def test_nobody_takes_the_session_of_another_by_naming_his_client_id(site, folder, connect):
    """The id is the name in the certificate, whatever the client says."""
    owner = connect("pump-1")
    context = tls_context(folder / "pump-2" / "ca.crt", folder / "pump-2")
    thief = Client("pump-1", site.gateway.mqtt_port, context).connect()
    assert thief.up.is_set()
    owner.subscribe(TOPICS.ack("pump-1"))
    owner.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 101, 10))
    wait_until(lambda: owner.heard, 10, "an ack for the owner")
    assert not owner.down.is_set()
    thief.close()


def test_a_broker_that_is_not_told_to_reload_is_an_error_of_revoke(site, folder, monkeypatch):
    """The command does not say "cut off" of a device that is not."""
    site.enrol("pump-8", folder)
    config = site.gateway.program.config
    text = config.read_text(encoding="utf-8")
    monkeypatch.setattr("gateway.enrol.expel.EXPEL_TIMEOUT_S", 0.5)
    config.write_text(re.sub("mosquitto_pid_file.*", "", text), encoding="utf-8")
    result = run_gateway(site, "revoke", "pump-8")
    config.write_text(text, encoding="utf-8")
    assert result.exit_code == 1
    assert "has not taken up the revocation" in result.stderr


def test_a_device_that_is_enrolled_again_comes_in_again(site, folder, connect):
    """With a new certificate; the old one stays void."""
    site.enrol("pump-4", folder)
    site.revoke("pump-4")
    old = tls_context(folder / "pump-4" / "ca.crt", folder / "pump-4")
    site.enrol("pump-4", folder)
    client = connect("pump-4")
    client.subscribe(TOPICS.ack("pump-4"))
    client.publish(TOPICS.data("pump-4", "arrow"), payload(STREAM, 1, 10))
    wait_until(lambda: client.heard, 10, "an ack")
    assert Client("old", site.gateway.mqtt_port, old).connect().refused


def test_replay_speaks_to_mosquitto_with_the_gateways_certificate(site, connect):
    """The ACL lets the gateway's name publish for any device."""
    client = connect("pump-1")
    client.subscribe(TOPICS.nack("pump-1"))
    client.publish(TOPICS.data("pump-1", "line"), b"<a/>")
    wait_until(lambda: client.heard, 10, "a nack")
    result = run_gateway(site, "quarantine", "replay", "--all")
    assert result.exit_code == 0, result.output


def test_more_small_messages_than_the_window_are_all_kept(site, connect):
    """One reading a message, twice what mosquitto lets the gateway have before it acknowledges."""
    client, before = connect("pump-2"), readings_of(site, "pump-2")
    topic = TOPICS.data("pump-2", "senml-json")
    for number in range(20_000):
        client.publish(topic, b'[{"n":"small","v":%d}]' % number)
    wait_until(lambda: readings_of(site, "pump-2") == before + 20_000, 60, "20,000 readings")
