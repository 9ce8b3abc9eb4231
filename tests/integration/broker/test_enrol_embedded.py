"""Mutual TLS at the embedded broker: who comes in, what he may do there, and how he is cut off."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from headrace.journal import JournalReader
from tests.batches import payload
from tests.enrolment import TOPICS, Client, EnrolSite, make_site, run_gateway, tls_context
from tests.programs import Programs
from tests.servers import wait_until
from tests.servers.agent import agent, log_of, write_agent_config

STREAM = "0123456789abcdef"
HOST = '[[inputs]]\nplugin = "host"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("enrol")


@pytest.fixture(scope="module")
def site(folder):
    """One running gateway for this file, with pump-1 and pump-2 enrolled."""
    programs = Programs(folder)
    made = make_site(programs)
    made.gateway.start()
    made.gateway.wait_ready()
    made.enrol("pump-1", folder)
    made.enrol("pump-2", folder)
    yield made
    programs.close()


@pytest.fixture
def connect(site, folder):
    """Connects a client with the certificate of a device; all are closed at the end."""
    made: list[Client] = []

    def make(device: str, client_id: str = "", **more) -> Client:
        certificates = folder / device
        context = tls_context(certificates / "ca.crt", certificates)
        client = Client(client_id or f"test-{device}", site.gateway.mqtt_port, context, **more)
        made.append(client)
        return client.connect()

    yield make
    for client in made:
        client.close()


def readings_of(site: EnrolSite, device: str) -> int:
    with JournalReader(site.gateway.journal) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=10**9)
    return sum(row.rows for row in rows if row.device == device)


def states_of(site: EnrolSite) -> dict[str, bool]:
    return {row["device"]: row["online"] for row in site.gateway.get("api/v1/devices")}


def test_an_enrolled_agent_delivers(site, folder, tmp_path):
    """From two command lines to readings in the journal, with what enrolment wrote into agent.toml."""
    from tests.enrolment import run_enroll

    config = write_agent_config(tmp_path, port=1, inputs=HOST, device="my-device")
    result = run_enroll(site.url, site.invite("host-1"), "--write-config", config)
    assert result.exit_code == 0, result.output
    with agent(config):
        wait_until(lambda: readings_of(site, "host-1") > 0, 20, f"readings: {log_of(config)}")


def test_a_client_without_a_certificate_does_not_come_in(site, folder):
    """amqtt's own listener would let it through TLS."""
    context = tls_context(folder / "pump-1" / "ca.crt")
    assert Client("x", site.gateway.mqtt_port, context).connect().refused


def test_a_certificate_of_another_ca_does_not_come_in(site, folder, tmp_path):
    """Even one that says it is pump-1."""
    from edge_agent.enrol.request import new_key, request_for
    from gateway.enrol.authority import Authority
    from headrace.clock import SystemClock

    other = Authority(tmp_path / "pki", site="other", clock=SystemClock())
    key = tmp_path / "device.key"
    key.write_bytes(new_key())
    from cryptography.hazmat.primitives.serialization import Encoding

    certificate = other.issue(request_for(key), "pump-1", 10)
    (tmp_path / "device.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    context = tls_context(folder / "pump-1" / "ca.crt", tmp_path)
    assert Client("x", site.gateway.mqtt_port, context).connect().refused


def test_a_device_publishes_and_is_acknowledged_under_its_own_name(site, connect):
    """The ack of the wire contract comes back over mutual TLS."""
    client = connect("pump-1")
    assert not any(code.is_failure for code in client.subscribe(TOPICS.ack("pump-1")))
    client.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 1, 50))
    wait_until(lambda: client.heard, 10, "an ack")
    assert readings_of(site, "pump-1") == 50


def test_what_a_device_publishes_elsewhere_is_denied_and_counted(site, connect):
    """Another's data, and worse, another's ack."""
    victim = connect("pump-2")
    victim.subscribe(TOPICS.ack("pump-2"))
    metric = 'headrace_gateway_denied_messages_total{action="publish"}'
    before = site.gateway.metric(metric)
    thief = connect("pump-1")
    thief.publish(TOPICS.data("pump-2", "arrow"), payload(STREAM, 1, 7))
    thief.publish(TOPICS.ack("pump-2"), b'{"stream":"0123456789abcdef","ranges":[[1,9]]}')
    wait_until(lambda: site.gateway.metric(metric) == before + 2, 10, "two denials")
    assert readings_of(site, "pump-2") == 0
    assert not victim.heard


def test_what_a_device_subscribes_elsewhere_is_refused(connect):
    """Said in the SUBACK."""
    codes = connect("pump-1").subscribe(
        TOPICS.ack("pump-1"), TOPICS.ack("pump-2"), "#", "headrace/v1/+/data/+"
    )
    assert [code.is_failure for code in codes] == [False, True, True, True]


def test_a_last_will_on_anothers_topic_keeps_a_client_out(site, connect):
    """amqtt publishes wills without asking anybody: it would be a forged ack."""
    assert "ot authorized" in connect("pump-1", will=TOPICS.ack("pump-2")).refused
    own = connect("pump-1", will=TOPICS.state("pump-1"))
    assert own.up.is_set()


def test_another_devices_session_cannot_be_taken_over(site, connect):
    """By its client id: amqtt looks up the session before it asks who the client is."""
    owner = connect("pump-2", "shared", clean=False)
    owner.subscribe(TOPICS.ack("pump-2"))
    thief = connect("pump-1", "shared", clean=False)
    assert thief.up.is_set()
    thief.subscribe(TOPICS.ack("pump-1"))
    thief.publish(TOPICS.data("pump-2", "arrow"), payload(STREAM, 1, 7))
    thief.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 1000, 10))
    wait_until(lambda: thief.heard, 10, "the ack of its own batch")
    assert {topic for topic, _ in thief.heard} == {TOPICS.ack("pump-1")}
    assert readings_of(site, "pump-2") == 0
    assert not owner.down.is_set()


def test_a_device_does_not_hear_the_retained_messages_of_others(connect):
    """A session that comes back is sent the retained messages of its own topics only."""
    speaker = connect("pump-2")
    speaker.subscribe(TOPICS.ack("pump-2"), "headrace/v1/pump-2/model/#")
    speaker.publish("headrace/v1/pump-2/model/reported", b"secret", retain=True).wait_for_publish(5)
    listener = connect("pump-1")
    listener.subscribe(TOPICS.ack("pump-1"))
    listener.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 2000, 10))
    wait_until(lambda: listener.heard, 10, "an ack")
    assert all("/pump-1/" in topic for topic, _ in listener.heard)


def test_revoke_cuts_a_device_off_at_once(site, folder, connect):
    """Its connection ends, it is refused from then on, and the others do not notice."""
    site.enrol("pump-3", folder)
    other, client = connect("pump-1"), connect("pump-3")
    site.revoke("pump-3")
    wait_until(client.down.is_set, 20, "cut off")
    assert "ot authorized" in connect("pump-3").refused
    assert not other.down.is_set()
    listed = run_gateway(site, "devices", "--json").stdout
    assert '"device":"pump-3","state":"revoked"' in listed


def test_a_certificate_whose_record_is_gone_is_refused(site, folder, connect):
    """The CA's signature alone does not open the door."""
    site.enrol("pump-4", folder)
    moved = folder / "forged"
    shutil.copytree(folder / "pump-4", moved, dirs_exist_ok=True)
    import sqlite3

    with sqlite3.connect(site.gateway.data / "pki" / "enrol.db") as db:
        db.execute("DELETE FROM certificates WHERE device = 'pump-4'")
    db.close()
    assert "ot authorized" in connect("pump-4").refused


def test_a_device_comes_back_after_a_restart_of_the_gateway(programs, tmp_path):
    """With a client connected the gateway stops cleanly, and knows its devices when it is back."""
    made = make_site(programs)
    made.gateway.start()
    certificates = made.enrol("pump-1", tmp_path)
    context = tls_context(certificates / "ca.crt", certificates)
    client = Client("x", made.gateway.mqtt_port, context).connect()
    assert made.gateway.program.stop() == 0
    wait_until(client.down.is_set, 20, "the broker is gone")
    client.close()
    made.gateway.start()
    made.gateway.wait_ready()
    again = Client("x", made.gateway.mqtt_port, context, clean=False).connect()
    assert again.up.is_set()
    again.close()


def test_a_batch_from_quarantine_is_replayed_with_the_gateways_certificate(site, connect):
    """`gateway quarantine replay` comes in through the same door."""
    client = connect("pump-1")
    client.subscribe(TOPICS.nack("pump-1"))
    client.publish(TOPICS.data("pump-1", "xml"), b"<a/>")
    wait_until(lambda: client.heard, 10, "a nack")
    result = run_gateway(site, "quarantine", "replay", "--all")
    assert result.exit_code == 0, result.output
    assert "replayed 1" in result.stdout
