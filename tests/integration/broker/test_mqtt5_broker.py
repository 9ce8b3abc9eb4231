"""An external broker that dies, hangs, refuses or is old: nothing is lost or doubled."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batches import payload
from tests.devices import Device, Sender, journalled
from tests.programs import make_gateway
from tests.servers import free_port, listens, start_process, wait_until
from tests.servers.mosquitto import EXECUTABLE, MosquittoProgram, mosquitto

STREAM = "0123456789abcdef"

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")


def test_a_gateway_that_is_killed_loses_nothing_that_the_broker_took(programs, tmp_path):
    """PUBACK goes to the broker after the commit; with the broker's default window of 20."""
    with mosquitto(tmp_path, lines=["max_inflight_messages 20"]) as broker:
        gateway = make_gateway(programs, kind="external", mqtt_port=broker.port)
        gateway.start()
        gateway.wait_ready()
        sender = Sender("pump-1", broker.port)
        for round_ in range(3):
            sender.send(round_ * 200, 200)
            wait_until(lambda n=round_: sender.taken > n * 200 + 50, 20, "some are with the broker")
            gateway.program.kill()
            gateway.start()
        wait_until(lambda: sender.taken == 600, 20, "all are with the broker")
        wait_until(lambda: journalled(gateway) == 6_000, 30, "all are in the journal, once")
        sender.close()


@pytest.mark.parametrize("connections", [1, 4])
def test_a_broker_that_is_killed_loses_and_doubles_nothing(programs, tmp_path, connections):
    """Devices hold what is not acknowledged; also through several clients with a shared subscription."""
    broker = MosquittoProgram(tmp_path, free_port())
    broker.start()
    wait_until(lambda: listens(broker.port), 10, "mosquitto")
    more = f"connections = {connections}"
    gateway = make_gateway(programs, kind="external", mqtt_port=broker.port, broker=more)
    gateway.start()
    gateway.wait_ready()
    for round_ in range(2):
        device = Device("pump-1", broker.port)
        for number in range(round_ * 50, round_ * 50 + 50):
            device.publish(payload(STREAM, number * 10 + 1, 10))
        device.wait_acked(500)
        for number in range(1000 + round_ * 50, 1000 + round_ * 50 + 50):
            device.publish(payload(STREAM, number * 10 + 1, 10))
        device.close()
        broker.kill()
        wait_until(lambda: not gateway.is_ready(), 20, "it is noticed")
        broker.start()
        gateway.wait_ready()
    device = Device("pump-1", broker.port)
    for number in range(1000, 1100):
        device.publish(payload(STREAM, number * 10 + 1, 10))
    device.wait_acked(1000)
    device.close()
    wait_until(lambda: journalled(gateway) == 2_000, 20, "all, once")
    broker.close()


def test_a_broker_that_hangs_is_noticed_and_used_again(programs, tmp_path):
    """By the keep-alive that the broker asks for."""
    with mosquitto(tmp_path, lines=["max_keepalive 10"]) as broker:
        gateway = make_gateway(programs, kind="external", mqtt_port=broker.port)
        gateway.start()
        gateway.wait_ready()

        os.kill(broker.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: not gateway.is_ready(), 30, "it is noticed")
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        gateway.wait_ready()
        device = Device("pump-1", broker.port)
        device.publish(payload(STREAM, 1, 10))
        device.wait_acked(10)
        device.close()
        assert "nothing heard for" in gateway.program.output()


@pytest.fixture
def users(tmp_path):
    """Lines of configuration for a broker with one user, gw, whose password is x."""
    (tmp_path / "users").write_text("gw:x\n")
    tool = shutil.which("mosquitto_passwd")
    assert tool
    subprocess.run([tool, "-U", str(tmp_path / "users")], check=True)
    return [f"password_file {tmp_path / 'users'}"]


def test_a_wrong_password_is_said_and_does_not_end_in_an_older_protocol(programs, tmp_path, users):
    """And the gateway comes in when the secret is mended."""
    secret = tmp_path / "secret"
    secret.write_text("wrong")
    with mosquitto(tmp_path, lines=users, anonymous=False) as broker:
        more = f'username = "gw"\npassword_file = "{secret}"'
        gateway = make_gateway(programs, kind="external", mqtt_port=broker.port, broker=more)
        gateway.start()
        wait_until(lambda: "refused the connection" in gateway.program.output(), 10, "the reason")
        assert not gateway.is_ready()
        secret.write_text("x")
        gateway.wait_ready()
        assert "going on with 3.1.1" not in gateway.program.output()


def test_connections_that_end_each_other_are_named(programs, tmp_path, users):
    """One user for all, at a broker that makes the client id of it."""
    (tmp_path / "secret").write_text("x")
    lines = [*users, "use_username_as_clientid true"]
    with mosquitto(tmp_path, lines=lines, anonymous=False) as broker:
        more = f'username = "gw"\npassword_file = "{tmp_path / "secret"}"\nconnections = 2'
        gateway = make_gateway(programs, kind="external", mqtt_port=broker.port, broker=more)
        gateway.start()
        wait_until(lambda: "or set connections = 1" in gateway.program.output(), 20, "what to do")


@pytest.fixture
def old_broker(tmp_path):
    """amqtt in a process of its own: MQTT 3.1.1 and nothing else."""
    port = free_port()
    config = tmp_path / "amqtt.yaml"
    config.write_text(
        f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\n"
        "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
    )
    executable = Path(sys.executable).with_name("amqtt")
    with start_process(
        [executable, "-c", config], log=tmp_path / "amqtt.log", ready=lambda: listens(port)
    ):
        yield port


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_a_broker_that_only_speaks_3_1_1_serves_too(programs, old_broker, protocol):
    """By itself, or because the configuration says so."""
    gateway = make_gateway(
        programs, kind="external", mqtt_port=old_broker, broker=f'protocol = "{protocol}"'
    )
    gateway.start()
    wait_until(gateway.is_ready, 60, "it has asked twice, and then in the older protocol")
    device = Device("pump-1", old_broker)
    device.publish(payload(STREAM, 1, 100))
    device.wait_acked(100)
    device.close()
    assert ("going on with 3.1.1" in gateway.program.output()) == (protocol == "auto")


def test_a_broker_that_only_speaks_3_1_1_is_named_where_5_is_asked_for(programs, old_broker):
    """With the key to change."""
    gateway = make_gateway(programs, kind="external", mqtt_port=old_broker, broker='protocol = "5"')
    gateway.start()
    wait_until(lambda: 'broker.protocol = "3.1.1"' in gateway.program.output(), 60, "the hint")
    assert not gateway.is_ready()


def test_the_largest_payload_comes_through_mosquitto(programs, tmp_path):
    """And its refusal back."""
    with mosquitto(tmp_path) as broker:
        gateway = make_gateway(programs, kind="external", mqtt_port=broker.port)
        gateway.start()
        gateway.wait_ready()
        device = Device("pump-1", broker.port)
        device.publish(bytes(8 << 20), "xml")
        wait_until(lambda: device.nacks, 20, "the nack")
        device.close()
