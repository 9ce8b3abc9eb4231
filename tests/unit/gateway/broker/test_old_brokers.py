"""Brokers that speak MQTT 3.1.1 and no 5, byte by byte: how they are asked, and what they may refuse."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress

import pytest

from gateway.broker.config import BrokerConfig
from gateway.broker.mqtt5.probe import speaks_old
from gateway.broker.mqtt311 import Mqtt311Client
from gateway.broker.reception import Reception
from gateway.ingest.inbox import Inbox
from gateway.live import Live
from headrace.clock import SystemClock
from headrace.metrics import Metrics
from headrace.topics import Topics
from tests.servers import wait_until

_CLEAN = 0x02
_CONNACK = b"\x20\x02\x00\x00"


class Broker:
    """Answers CONNECT with yes, and SUBSCRIBE with ``codes``; the n-th time with the n-th."""

    def __init__(self, *codes: bytes) -> None:
        self.codes = list(codes)
        self.connects: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind = (await reader.readexactly(1))[0]
                body = await reader.readexactly(await _length(reader))
                if kind == 0x10:
                    self.connects.append(body)
                    writer.write(_CONNACK)
                elif kind == 0x82 and self.codes:
                    code = self.codes.pop(0)
                    writer.write(bytes([0x90, 2 + 2 * len(code)]) + body[:2] + 2 * code)
        writer.close()


async def _length(reader: asyncio.StreamReader) -> int:
    size = shift = 0
    while True:
        digit = (await reader.readexactly(1))[0]
        size |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return size


def test_the_question_leaves_the_session_of_the_gateway_as_it_is() -> None:
    """A clean one would throw away what the broker has kept while the gateway was away."""
    broker = Broker()

    async def run() -> bool:
        async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await speaks_old("127.0.0.1", port, None, "headrace-gateway-s", "gw", b"x")

    assert asyncio.run(run())
    (connect,) = broker.connects
    assert connect[:7] == b"\x00\x04MQTT\x04"
    assert not connect[7] & _CLEAN


def test_a_refused_subscription_is_no_connection_and_is_asked_for_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By an ACL that somebody mends: until then the gateway is not ready, and says why."""
    broker = Broker(b"\x80", b"\x00")
    metrics = Metrics("gateway")
    reception = Reception(Topics(), Inbox(), Live(), SystemClock(), metrics)

    async def run() -> None:
        async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            config = BrokerConfig(kind="external", port=port, protocol="3.1.1")
            client = Mqtt311Client(config, reception, metrics, site="s")
            await client.start()
            await asyncio.to_thread(wait_until, lambda: client.connected, 60, "let in")
            await client.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    assert len(broker.connects) >= 2
    assert "refused the subscription" in caplog.text
    assert "it delivers with QoS 0" in caplog.text
    assert "works again after" in caplog.text


def test_a_port_that_nobody_answers_is_no_old_broker() -> None:
    """Nothing is decided by silence."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not asyncio.run(speaks_old("127.0.0.1", port, None, "id", "", None))
