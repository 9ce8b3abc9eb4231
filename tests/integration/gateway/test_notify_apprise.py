"""Notifications through the real Apprise to a real mail server and a real webhook."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from gateway.notify.config import NotifyConfig
from gateway.notify.consumer import NotifyConsumer
from gateway.notify.outbox import Note
from gateway.notify.sender import AppriseSender, Attempt
from headrace import logs
from headrace.derived import Alert, alert_name, encode_alert
from headrace.errors import ConfigError
from headrace.metrics import Metrics
from tests.gateway_entries import START, entry, rows
from tests.servers import free_port, wait_until

SECRET = "hunter2-not-in-logs"


class Mailbox:
    """What an SMTP server has received."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=modern))
        return "250 kept"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


@contextmanager
def webhook(status: int) -> Iterator[tuple[list[dict[str, Any]], int]]:
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, name="webhook")
    thread.start()
    yield received, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def note(target: str) -> Note:
    return Note(target, 1, "critical", "[site] critical: low on pump-1", "firing: flow is 1")


def test_an_alert_becomes_a_mail(mailbox: tuple[Mailbox, int], tmp_path: Path) -> None:
    """From the journalled reading to the subject line, with the URL from a file."""
    box, port = mailbox
    urls = tmp_path / "urls"
    urls.write_text(f"# on call\nmailto://127.0.0.1:{port}?from=a@site.local&to=b@site.local&mode=insecure\n")  # fmt: skip
    consumer = NotifyConsumer([NotifyConfig(url_file=urls)], Metrics("gateway"), "plant-a")
    alert = Alert("firing", "critical", "flow", START, None, 1.0, "flow is 1, limit 2")
    batch = rows([alert_name("low")], [START], [encode_alert(alert)])
    consumer.committed(consumer.step([entry("pump-1", batch)], START))
    wait_until(lambda: box.mails, 10, "the mail is there")
    assert box.mails[0]["Subject"] == "[plant-a] critical: low on pump-1"
    assert "flow is 1, limit 2" in box.mails[0].get_body().get_content()


def test_a_webhook_gets_title_body_and_type() -> None:
    """As JSON."""
    with webhook(200) as (received, port):
        sender = AppriseSender({"hook": NotifyConfig(url=f"json://127.0.0.1:{port}/x")})
        assert sender.send([note("hook")]) == {note("hook").key: Attempt(True)}
    assert received[0]["title"] == "[site] critical: low on pump-1"
    assert received[0]["type"] == "failure"


def test_a_refusal_and_a_dead_server_are_failures_and_no_secret_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even where the program logs details."""
    logs.set_up(verbose=True)
    caplog.set_level(logging.DEBUG)
    with webhook(500) as (_, port):
        sender = AppriseSender(
            {
                "hook": NotifyConfig(url=f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}"),
                "dead": NotifyConfig(url=f"json://user:{SECRET}@127.0.0.1:{free_port()}/x"),
            }
        )
        taken = sender.send([note("hook"), note("dead")])
    refused, dead = taken.values()
    assert (refused.taken, dead.taken) == (False, False)
    assert "Internal server error" in refused.reason
    assert "Connection error" in dead.reason
    assert SECRET not in refused.reason + dead.reason
    assert SECRET not in caplog.text
    assert SECRET not in repr(NotifyConfig(url=f"json://{SECRET}"))


def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    """And is not called again while the first call still hangs."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"json://127.0.0.1:{mute.getsockname()[1]}/x"
        sender = AppriseSender({"mute": NotifyConfig(url=url)}, timeout_s=0.2)
        assert list(sender.send([note("mute")]).values()) == [Attempt(False, "no answer in time")]
        assert list(sender.send([note("mute")]).values()) == [Attempt(False, "no answer in time")]
        mute.settimeout(1.0)
        mute.accept()[0].close()


@pytest.mark.parametrize("text", ["", "# nothing\n", "not a url\n"])
def test_a_url_file_without_a_usable_url_is_a_fault(tmp_path: Path, text: str) -> None:
    """The message names the file's place, never its content."""
    urls = tmp_path / "urls"
    urls.write_text(text)
    with pytest.raises(ConfigError) as caught:
        AppriseSender({"1": NotifyConfig(url_file=urls)})
    assert "not a url" not in str(caught.value)
