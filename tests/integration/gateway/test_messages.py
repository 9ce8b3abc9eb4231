"""What people read when a program cannot do as it was told: what, what to do, an exit status, no traceback."""

from __future__ import annotations

import importlib
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.servers import free_port, wait_until
from tests.servers.agent import agent, log_of, write_agent_config

COMMANDS = ("edge_agent.cli", "gateway.cli", "headrace.cli", "cloud_sync.cli")


def said(folder: Path, module: str, *arguments: str) -> tuple[int, str]:
    """The exit status of a command, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_gateway_whose_port_is_taken_says_which_and_by_which_key(
    tmp_path: Path, taken: int
) -> None:
    """amqtt is ended in order, so nothing of it is left to complain."""
    for table, other in (("broker", "http"), ("http", "broker")):
        (tmp_path / "gateway.toml").write_text(
            f"[{table}]\nport = {taken}\n[{other}]\nport = {free_port()}\n", encoding="utf-8"
        )
        status, text = said(tmp_path, "gateway", "run", "--config", "gateway.toml")
        assert status == 1
        assert "Traceback" not in text
        assert f"127.0.0.1:{taken}" in text
        assert f"set {table}.port" in text


def test_two_listeners_of_one_gateway_at_one_port_are_a_fault_of_the_file(tmp_path: Path) -> None:
    """Found by check-config, not by the second of them at the start."""
    (tmp_path / "gateway.toml").write_text("[broker]\nport = 8080\n", encoding="utf-8")
    status, text = said(tmp_path, "gateway", "check-config", "--config", "gateway.toml")
    assert (status, "http.port: 8080 is broker.port already" in text) == (2, True)


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    """Status 1 and not 2: a renewal may be half done, and the next start finds it whole."""
    (tmp_path / "some.pem").write_text("none", encoding="utf-8")
    (tmp_path / "gateway.toml").write_text(
        f'[broker]\nport = {free_port()}\n[http]\nport = {free_port()}\ntls = true\n'
        'certfile = "some.pem"\nkeyfile = "some.pem"\n', encoding="utf-8",
    )  # fmt: skip
    status, text = said(tmp_path, "gateway", "run", "--config", "gateway.toml")
    assert status == 1
    assert "error: some.pem and some.pem cannot be used" in text
    assert "Traceback" not in text


def test_a_journal_that_cannot_be_opened_is_named_with_what_to_look_at(tmp_path: Path) -> None:
    """SQLite says no more than that it is unable to."""
    (tmp_path / "headrace-data/gateway/journal.db").mkdir(parents=True)
    (tmp_path / "gateway.toml").write_text(f"[broker]\nport = {free_port()}\n", encoding="utf-8")
    status, text = said(tmp_path, "gateway", "run", "--config", "gateway.toml")
    assert status == 1
    assert "journal.db: unable to open database file (may this user read and write it" in text


def test_a_demo_in_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    """Before any program is started."""
    (tmp_path / "file").touch()
    status, text = said(tmp_path, "headrace.cli", "demo", "--data", "file/below")
    assert status == 2
    assert "file/below cannot be written to: Not a directory (name another folder" in text


def test_an_agent_whose_metrics_port_is_taken_samples_all_the_same(
    tmp_path: Path, taken: int
) -> None:
    """Nobody is there to start it again; the endpoint follows when the port is free."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        config = write_agent_config(
            tmp_path, port=taken, inputs=f'[[inputs]]\nplugin = "host"\n[metrics]\nport = {port}\n'
        )
        process = agent(config)
        process.__enter__()
        wait_until(lambda: "metrics cannot be served" in log_of(config), 30, "it is said")
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/metrics"), 30, "metrics")
    finally:
        process.__exit__(None, None, None)
    assert log_of(config).count("metrics cannot be served") == 1


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return b"sampled_readings" in reply.read()
    except (urllib.error.URLError, OSError):
        return False


def test_an_agent_says_which_key_names_the_ca_that_is_none(tmp_path: Path, taken: int) -> None:
    """OpenSSL's words alone tell nobody where to look."""
    (tmp_path / "ca.crt").write_text("none", encoding="utf-8")
    config = write_agent_config(
        tmp_path, port=taken, inputs='[[inputs]]\nplugin = "host"\n',
        uplink=f'tls = true\nca = "{tmp_path / "ca.crt"}"',
    )  # fmt: skip
    with agent(config):
        wait_until(lambda: "CA's certificate in uplink.ca" in log_of(config), 30, "it is said")


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_shows_an_example_and_answers_to_h(module: str) -> None:
    """What help is read for is the line that can be copied."""
    main = importlib.import_module(module).main
    assert "-h" in main.context_settings["help_option_names"]
    lacking = [" ".join(path) for path, each in below(main) if "Example" not in (each.help or "")]
    assert lacking == []


def below(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from below(each, *path, name)
