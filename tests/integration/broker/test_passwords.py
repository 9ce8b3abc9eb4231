"""auth = "password" with real clients: a user is a device, and has its topics and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.broker.passwords import new_password, write_user
from gateway.cli import main
from tests.batches import payload
from tests.enrolment import TOPICS, Client
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import wait_until

STREAM = "0123456789abcdef"


@pytest.fixture(scope="module")
def passwords(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: new_password() for name in ("pump-1", "pump-2", "pump-3")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("passwords")


@pytest.fixture(scope="module")
def gateway(folder: Path, passwords: dict[str, str]):
    """An embedded broker with three users."""
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
def connect(gateway: Gateway, passwords: dict[str, str]):
    """Connects as a user; all are closed at the end."""
    made: list[Client] = []

    def make(name: str, word: str | None = None, **more) -> Client:
        user = (name, passwords.get(name, "") if word is None else word)
        more.setdefault("client_id", f"test-{name}")
        made.append(Client(port=gateway.mqtt_port, user=user, **more))
        return made[-1].connect()

    yield make
    for client in made:
        client.close()


@pytest.fixture
def run_gateway(gateway: Gateway):
    """One of the gateway's commands, on its configuration."""

    def run(*arguments: str) -> str:
        config = str(gateway.program.config)
        result = CliRunner().invoke(main, [*arguments, "-c", config])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_a_user_delivers_and_hears_his_ack(connect):
    """Under the name that is his user."""
    client = connect("pump-1")
    client.subscribe(TOPICS.ack("pump-1"))
    client.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 1, 10))
    wait_until(lambda: client.heard, 10, "the ack")


@pytest.mark.parametrize(("name", "word"), [("pump-1", "wrong"), ("pump-1", ""), ("ghost", "x"), ("", ""), ("headrace:gateway", "x")])  # fmt: skip
def test_a_wrong_password_does_not_come_in(connect, name, word):
    """Nor a name that nobody has."""
    assert "ot authorized" in connect(name, word).refused


def test_a_client_without_user_does_not_come_in(gateway):
    """Not even to listen."""
    assert Client("x", gateway.mqtt_port).connect().refused


def test_a_user_cannot_speak_or_listen_for_another(gateway, connect):
    """Publishes, subscriptions with and without wildcards, retained states, last wills."""
    thief, owner = connect("pump-2"), connect("pump-3")
    assert all(code.is_failure for code in thief.subscribe(TOPICS.ack("pump-3")))
    assert all(code.is_failure for code in thief.subscribe("#", "headrace/v1/+/ack"))
    owner.subscribe(TOPICS.ack("pump-3"))
    thief.publish(TOPICS.data("pump-3", "arrow"), payload(STREAM, 1000, 7))
    thief.publish(TOPICS.ack("pump-3"), b"{}")
    owner.publish(TOPICS.data("pump-3", "arrow"), payload(STREAM, 1, 10))
    wait_until(lambda: owner.heard, 10, "the owner's ack")
    assert b"[[1,10]]" in owner.heard[0][1].replace(b" ", b"")
    assert not thief.heard
    assert gateway.metric('headrace_gateway_denied_messages_total{action="publish"}') >= 2
    will = connect("pump-2", client_id="will", will=TOPICS.state("pump-3"))
    assert "ot authorized" in will.refused


def test_a_user_cannot_take_the_session_of_another_by_his_client_id(connect):
    """Sessions are a user's own."""
    owner = connect("pump-1", client_id="same", clean=False)
    owner.subscribe(TOPICS.ack("pump-1"))
    thief = connect("pump-2", client_id="same", clean=False)
    assert thief.up.is_set()
    owner.publish(TOPICS.data("pump-1", "arrow"), payload(STREAM, 101, 10))
    wait_until(lambda: owner.heard, 10, "the owner's ack")
    assert not thief.heard
    assert not owner.down.is_set()


def test_a_password_that_is_taken_away_cuts_off_at_once(gateway, connect, folder, run_gateway):
    """By the command; the others stay."""
    said = run_gateway("password", "pump-4")
    client, other = connect("pump-4", said.strip()), connect("pump-1")
    assert client.up.is_set()
    run_gateway("password", "pump-4", "--remove")
    assert client.down.wait(20)
    assert "ot authorized" in connect("pump-4", said.strip()).refused
    assert not other.down.is_set()


def test_the_gateways_own_commands_come_in(gateway, connect, run_gateway):
    """By a secret beside the journal, that nobody has to set up."""
    client = connect("pump-1")
    client.subscribe(TOPICS.nack("pump-1"))
    client.publish(TOPICS.data("pump-1", "xml"), b"<a/>")
    wait_until(lambda: client.heard, 10, "a nack")
    assert run_gateway("quarantine", "replay", "--all") == "replayed 1\n"
    secret = gateway.data / "commands.password"
    assert secret.stat().st_mode & 0o777 == 0o600
