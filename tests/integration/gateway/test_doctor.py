"""``gateway doctor`` on this machine: what it says of sound and of unsound places."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.doctor import storage
from gateway.doctor.secrets import _certificate
from tests.damage import place_of, ruin_page, settle
from tests.journals import Journal, readings
from tests.programs import make_gateway
from tests.servers import free_port, wait_until
from tests.servers.influxdb import influxdb
from tests.servers.kafka import tansu
from tests.servers.mosquitto import EXECUTABLE, mosquitto
from tests.servers.sparkplug import Node


def doctor(gateway, *words):
    command = [sys.executable, "-m", "gateway", "doctor", "--config", str(gateway.program.config)]
    done = subprocess.run([*command, "--json", *words], capture_output=True, text=True, timeout=60)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def found(findings, check, level):
    return [each for each in findings if (each["check"], each["level"]) == (check, level)]


def test_before_the_first_start_everything_is_looked_at(programs):
    """Nothing fails, and nothing is made by looking."""
    gateway = make_gateway(programs)
    status, findings = doctor(gateway)
    assert status == 0, findings
    assert {each["check"] for each in findings} >= {
        "config", "data_dir", "room", "fsync", "journal", "clock", "memory", "files", "port",
        "gateway", "broker",
    }  # fmt: skip
    assert not gateway.data.exists()
    assert all(each.get("todo") for each in findings if each["level"] != "OK")


def test_a_running_gateway_is_found_asked_and_connected_to(programs):
    """Its ports are its own, and its broker takes what a gateway has to send."""
    gateway = make_gateway(programs)
    gateway.start()
    gateway.wait_ready()
    status, findings = doctor(gateway)
    assert status == 0, findings
    assert "takes batches" in found(findings, "gateway", "OK")[0]["text"]
    assert {each["text"].split()[-1] for each in found(findings, "port", "OK")} == {"gateway's"}
    assert "may publish acks" in {each["text"] for each in found(findings, "broker", "OK")}


def test_a_port_that_somebody_has_is_named_with_the_process(programs):
    """And what to change."""
    gateway = make_gateway(programs)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", gateway.http_port))
        taken.listen()
        status, findings = doctor(gateway)
    assert status == 1
    (fault,) = found(findings, "port", "FAIL")
    assert f"{gateway.http_port} (http.port) is taken by pid" in fault["text"]
    assert "http.port" in fault["todo"]


def test_every_fault_of_a_configuration_is_a_finding(programs):
    """Nothing else is looked at then."""
    gateway = make_gateway(programs, extra=["[jornal]\nx = 1\n[vitals]\ninterval_s = 0\n"])
    status, findings = doctor(gateway)
    assert status == 1
    assert len(found(findings, "config", "FAIL")) == len(findings) == 2


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_a_broker_that_denies_what_a_gateway_needs_is_told_apart_from_one_that_is_away(
    programs, tmp_path
):
    """An ACL is checked by MQTT 5's reason codes: an older protocol would not say."""
    acl = tmp_path / "acl"
    acl.write_text("topic read headrace/v1/+/data/#\n", encoding="utf-8")
    with mosquitto(tmp_path, lines=[f"acl_file {acl}"]) as broker:
        gateway = make_gateway(programs, kind="external", mqtt_port=broker.port)
        status, findings = doctor(gateway)
    assert status == 1
    assert "may not publish acks" in found(findings, "broker", "FAIL")[0]["text"]
    away = make_gateway(programs, kind="external", mqtt_port=free_port())
    _, findings = doctor(away)
    assert "refused" in found(findings, "broker", "FAIL")[0]["text"]


def test_sinks_are_asked_whether_they_would_take_readings(programs, tmp_path):
    """One that is there, and one that is not."""
    with influxdb(tmp_path) as server:
        server.query("CREATE DATABASE one")
        sinks = [
            f'[[sinks]]\nplugin = "influxdb"\nname = "{name}"\napi = "v1"\nurl = "{url}"\ndatabase = "one"\n'
            for name, url in (("here", server.url), ("away", f"http://127.0.0.1:{free_port()}"))
        ]
        status, findings = doctor(make_gateway(programs, extra=sinks))
    assert status == 1
    assert found(findings, "sink", "OK")[0]["text"].startswith("here: answers")
    assert found(findings, "sink", "FAIL")[0]["text"].startswith("away: ")


def test_a_damaged_journal_fails(programs):
    """With the command that says more."""
    gateway = make_gateway(programs)
    gateway.data.mkdir()
    made = Journal(gateway.journal)
    for number in range(20):
        made.append("pump-1", readings(300, seed=number))
    made.close()
    settle(made.path)
    ruin_page(made.path, place_of(made.path, 10))
    _, findings = doctor(gateway)
    assert "journal verify" in found(findings, "journal", "FAIL")[0]["todo"]


def test_the_file_system_of_a_path_is_the_innermost_mount():
    """A journal in memory is lost with the power."""
    assert storage.file_system(Path("/proc/self")) == "proc"


@pytest.mark.parametrize(("days", "level"), [(100, "OK"), (10, "WARN"), (-1, "FAIL")])
def test_certificates_that_end_are_said_in_time(tmp_path, days, level):
    """A month is enough to renew one; the day after, nobody connects."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=300))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "x.crt"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    assert _certificate("broker.certfile", path, now).level == level


def test_two_devices_of_one_client_id_are_named(programs):
    """They end each other for ever, and each log says only that the line is poor."""
    gateway = make_gateway(programs)
    gateway.start()
    gateway.wait_ready()
    clients = [mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="pump-1") for _ in range(2)]
    for client in clients:
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", gateway.mqtt_port)
        client.loop_start()
    wait_until(lambda: gateway.get("api/v1/clashes"), 30, "they are noticed")
    for client in clients:
        client.disconnect()
        client.loop_stop()
    status, findings = doctor(gateway)
    (clash,) = found(findings, "clash", "WARN")
    assert status == 0
    assert "client id 'pump-1' is used by two" in clash["text"]
    assert "(from 127.0.0.1)" in clash["text"]


def test_a_sparkplug_node_that_does_not_answer_is_named(programs):
    """Its data wait, and nobody knows what they mean."""
    gateway = make_gateway(programs, extra=["[sparkplug]\nenabled = true\n"])
    gateway.start()
    gateway.wait_ready()
    connected = "headrace_gateway_sparkplug_connected"
    wait_until(lambda: gateway.metric(connected) == 1, 20, "the host is online")
    good = Node("plant", "line-1", gateway.mqtt_port)
    deaf = Node("plant", "line-2", gateway.mqtt_port)
    wait_until(lambda: gateway.get("api/v1/sparkplug")["nodes"] == 2, 20, "both are born")
    deaf.mute = True
    deaf.lose()
    deaf.data(1.0)
    wait_until(lambda: gateway.get("api/v1/sparkplug")["unsure"], 20, "it is unsure")
    _, findings = doctor(gateway)
    assert "1 nodes and 1 devices are born" in found(findings, "sparkplug", "OK")[0]["text"]
    (unsure,) = found(findings, "sparkplug", "WARN")
    assert unsure["text"].startswith("plant/line-2: nobody knows what its aliases mean; asked")
    assert "1 messages wait" in unsure["text"]
    good.close()
    deaf.close()


def test_a_kafka_source_is_asked_without_joining_its_group(programs, tmp_path):
    """A topic that is not there fails, as does a cluster that is away."""
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing")
    from tests.integration.ingest.test_source_kafka import lines, make_topic, produce, source

    with tansu(tmp_path / "kafka") as kafka:
        make_topic(kafka, "there")
        produce(kafka, "there", lines(0, 30))
        status, findings = doctor(make_gateway(programs, extra=[source(kafka, "there")]))
        (good,) = found(findings, "source", "OK")
        assert status == 0
        assert good["text"].startswith("kafka: 3 partitions of there, some ")
        status, findings = doctor(make_gateway(programs, extra=[source(kafka, "gone")]))
        assert status == 1
        assert "no topic gone" in found(findings, "source", "FAIL")[0]["text"]
    status, findings = doctor(make_gateway(programs, extra=[source(kafka, "there")]))
    assert status == 1
    assert found(findings, "source", "FAIL")[0]["text"].startswith("kafka: Kafka at 127.0.0.1:")
