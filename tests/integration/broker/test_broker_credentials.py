"""Certificates and passwords that are exchanged in their files while a client over paho runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.enrol.request import new_key, request_for
from gateway.broker.config import BrokerConfig
from gateway.broker.mqtt311 import Mqtt311Client
from gateway.broker.reception import Reception
from gateway.enrol.authority import Authority
from gateway.enrol.mosquitto import broker_pair
from gateway.ingest.inbox import Inbox
from gateway.live import Live
from headrace.clock import SystemClock
from headrace.metrics import Metrics
from headrace.topics import Topics
from tests.servers import free_port
from tests.servers.mosquitto import EXECUTABLE, mosquitto

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")


@pytest.fixture
def issue(tmp_path: Path) -> Callable[[str], None]:
    """Puts a certificate in some name of the broker's CA into the client's files."""
    authority = Authority(tmp_path / "pki", site="site-1", clock=SystemClock())

    authority.ensure_server(broker_pair(tmp_path), "localhost", ["127.0.0.1", "localhost"])
    (tmp_path / "ca.crt").write_bytes(authority.ca_pem.encode())

    def made(name: str) -> None:
        (tmp_path / "own.key").write_bytes(new_key())
        certificate = authority.issue(request_for(tmp_path / "own.key"), name, 10)
        (tmp_path / "own.crt").write_bytes(certificate.public_bytes(Encoding.PEM))

    return made


def test_a_renewed_certificate_is_shown_at_the_next_connection(
    tmp_path: Path, issue: Callable[[str], None]
) -> None:
    """Without a restart; files that do not fit leave what was good before."""
    issue("of-before")
    port, clock, metrics = free_port(), SystemClock(), Metrics("gateway")
    config = BrokerConfig(
        kind="external", host="127.0.0.1", port=port, tls=True, cafile=tmp_path / "ca.crt",
        certfile=tmp_path / "own.crt", keyfile=tmp_path / "own.key",
    )  # fmt: skip
    reception = Reception(Topics(config.topic_root), Inbox(), Live(), clock, metrics)
    client = Mqtt311Client(config, reception, metrics, site="s")
    lines = [
        f"cafile {tmp_path / 'ca.crt'}", f"certfile {tmp_path / 'broker.crt'}", f"keyfile {tmp_path / 'broker.key'}",
        "require_certificate true", "use_identity_as_username true", "log_type all",
    ]  # fmt: skip

    async def connected_as(name: str) -> None:
        """To a broker that has just started, until it has ended."""
        with mosquitto(tmp_path, port=port, persistence=False, lines=lines, anonymous=False):
            await _until(lambda: client.connected)
            log = (tmp_path / "mosquitto" / "log.txt").read_text(encoding="utf-8")
            assert log.rsplit("as headrace-gateway-s", 1)[1].split("u'")[1].startswith(name)
        await _until(lambda: not client.connected)

    async def run() -> None:
        await client.start()
        await connected_as("of-before")
        issue("renewed")
        await connected_as("renewed")
        (tmp_path / "own.key").write_bytes(new_key())
        await connected_as("renewed")
        await client.stop()

    asyncio.run(run())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)
