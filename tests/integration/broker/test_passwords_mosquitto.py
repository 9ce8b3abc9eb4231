"""auth = "password" with a real mosquitto: password file and pattern ACL, written by the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.broker.passwords import new_password
from gateway.cli import main
from tests.batches import payload
from tests.enrolment import TOPICS, Client, tls_context
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port, listens, start_process, wait_until
from tests.servers.mosquitto import EXECUTABLE

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")

STREAM = "0123456789abcdef"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mosquitto")


@pytest.fixture(scope="module")
def gateway(folder: Path):
    """A gateway with its password in a file, and a mosquitto of its making."""
    programs, port = Programs(folder), free_port()
    conf, data, secret = folder / "conf", folder / "data", folder / "secret"
    data.mkdir()
    secret.write_text(new_password(), encoding="utf-8")
    made = make_gateway(
        programs, kind="external", mqtt_port=port,
        broker=f'auth = "password"\ntls = true\nusername = "gateway"\npassword_file = "{secret}"',
        extra=[f'[enrol]\nmosquitto_dir = "{conf}"\nmosquitto_pid_file = "{folder / "pid"}"'],
    )  # fmt: skip
    words = ["--out", conf, "--port", port, "--bind", "127.0.0.1", "--data", data]
    run(made, "mosquitto-config", *map(str, words))
    config = folder / "mosquitto.conf"
    config.write_text(
        f"user root\npid_file {folder / 'pid'}\nlog_type all\ninclude_dir {conf}\n",
        encoding="utf-8",
    )
    log = folder / "mosquitto.log"
    with start_process([EXECUTABLE, "-c", config], log=log, ready=lambda: listens(port)):
        made.start()
        made.wait_ready()
        yield made
        programs.close()


def run(gateway: Gateway, *arguments: str) -> str:
    """One of the gateway's commands, on its configuration."""
    result = CliRunner().invoke(main, [*arguments, "-c", str(gateway.program.config)])
    assert result.exit_code == 0, result.output
    return result.stdout


def connect(gateway: Gateway, name: str, word: str) -> Client:
    context = tls_context(gateway.data / "pki" / "ca.crt")
    return Client(
        f"test-{name}", gateway.mqtt_port, context, user=(name, word) if name else None
    ).connect()


def test_a_user_has_his_own_topics_and_nothing_else(gateway):
    """He delivers and hears his ack; what he publishes for another does not arrive."""
    words = {name: run(gateway, "password", name).strip() for name in ("pump-1", "pump-2")}
    wait_until(lambda: connect(gateway, "pump-2", words["pump-2"]).up.is_set(), 10, "the reload")
    owner, thief = (connect(gateway, name, word) for name, word in words.items())
    thief.subscribe(TOPICS.ack("pump-1"), "#")
    owner.subscribe(TOPICS.ack("pump-1"))
    sent = thief.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 1000, 7))
    wait_until(lambda: sent.is_published() or thief.down.is_set(), 10, "mosquitto is done with it")
    owner.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 1, 10))
    wait_until(lambda: owner.heard, 10, "the owner's ack")
    assert b"[[1,10]]" in owner.heard[0][1].replace(b" ", b"")
    assert not thief.heard
    for client in (owner, thief):
        client.close()


@pytest.mark.parametrize(("name", "word"), [("pump-1", "wrong"), ("ghost", "x"), ("", "")])
def test_who_has_no_password_does_not_come_in(gateway, name, word):
    """Nor who has another."""
    assert connect(gateway, name, word).refused


def test_a_password_that_is_taken_away_cuts_off(gateway):
    """mosquitto ends the connection when it reads the file again."""
    word = run(gateway, "password", "pump-3").strip()
    wait_until(lambda: connect(gateway, "pump-3", word).up.is_set(), 10, "the reload")
    client = connect(gateway, "pump-3", word)
    assert client.up.is_set()
    run(gateway, "password", "pump-3", "--remove")
    assert client.down.wait(20)
    assert connect(gateway, "pump-3", word).refused
