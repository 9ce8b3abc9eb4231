"""Connections of the HTTP ingest before there is a request."""

from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.listener import Listener
from headrace.http_guard import guarded
from tests.servers import free_port

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def own_address() -> str:
    """An address of this machine that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("this machine has no address but its loopback")
        return str(probe.getsockname()[0])


async def answer(_request: Request) -> Response:
    return Response(status_code=204)


def run(test, **bounds):
    """Run a coroutine beside a listener with these bounds; returns the statuses that it refused with."""
    refused: list[int] = []
    port = free_port()
    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])])

    async def both() -> None:
        protocol = guarded(refused.append, **bounds)
        listener = Listener(app, host="0.0.0.0", port=port, key="test", protocol=protocol)
        await listener.start()
        try:
            await test(port)
        finally:
            await listener.stop()

    asyncio.run(both())
    return refused


async def ask(host, port, sent=GET):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(sent)
    return reader, writer, await reader.readline()


def test_one_address_cannot_take_all_connections():
    """The one too many is told 503; when another ends, the next is served again."""
    host = own_address()

    async def test(port):
        open_ = [await ask(host, port) for _ in range(3)]
        assert all(b" 204 " in line for _, _, line in open_)
        assert b" 503 " in (await ask(host, port))[2]
        assert b" 204 " in (await ask("127.0.0.1", port))[2]
        open_[0][1].close()
        await open_[0][1].wait_closed()
        assert b" 204 " in (await ask(host, port))[2]

    assert run(test, max_per_source=3) == [503]


def test_a_head_in_many_pieces_has_one_deadline():
    """A byte now and then does not begin it anew."""

    async def test(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found = asyncio.create_task(reader.readline())
        for byte in GET[:-2]:
            writer.write(bytes([byte]))
            await asyncio.wait([found], timeout=0.02)
        assert b" 408 " in await found

    assert run(test, head_s=0.2) == [408]


def test_requests_that_follow_each_other_on_a_connection_are_answered_in_order():
    """Sent at once, with bodies between the heads, however they are cut."""

    async def test(port):
        post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + b"a" * 20_000
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stream = (post + GET) * 5
        for at in range(0, len(stream), 7_001):
            writer.write(stream[at : at + 7_001])
            await writer.drain()
        for _ in range(10):
            assert b" 204 " in await reader.readuntil(b"\r\n\r\n")

    assert run(test) == []


def test_what_is_not_http_is_counted():
    """As 400."""

    async def test(port):
        assert b" 400 " in (await ask("127.0.0.1", port, b"\x16\x03\x01\r\n\r\n"))[2]

    assert run(test) == [400]
