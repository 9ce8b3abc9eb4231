"""What a client may send, judged before amqtt sees it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.broker.budget import Budget
from gateway.broker.packets import BadPacket
from gateway.broker.streams import BareStream
from gateway.broker.turnstile import Outlet, Turnstile, read_connect
from headrace.limits.broker import BROKER_MAX_QUEUED, BROKER_MAX_TOPIC_BYTES
from headrace.limits.wire import MAX_PAYLOAD_BYTES


def string(text: bytes) -> bytes:
    return len(text).to_bytes(2) + text


def packet(first: int, body: bytes, length: int | None = None) -> bytes:
    left, digits = len(body) if length is None else length, []
    while True:
        left, digit = left >> 7, left & 0x7F
        digits.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([first, *digits]) + body


def connect(flags: int = 2, level: int = 4, name: bytes = b"MQTT", rest: bytes = string(b"x")):
    return packet(0x10, string(name) + bytes([level, flags, 0, 60]) + rest)


class Wire:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


class Paper(BareStream):
    """A stream of given bytes, that then ends."""

    def __init__(self, data: bytes, *, ends: bool = True) -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        if ends:
            reader.feed_eof()
        object.__setattr__(self, "reader", reader)
        object.__setattr__(self, "writer", None)

    async def drain(self) -> None:
        pass


async def passed(data: bytes, owed: int = 0) -> tuple[bytes, list[str]]:
    """What the turnstile lets through, and why it ended the connection."""
    reasons: list[str] = []
    stream = Paper(data)
    outlet = Outlet(stream)
    outlet.owed = owed
    turnstile = Turnstile(
        stream, b"", outlet=outlet, idle_s=5, budget=Budget(1 << 24), unreleased=Budget(1 << 24),
        refused=lambda bad: reasons.append(bad.reason),
    )  # fmt: skip
    found = b""
    while byte := await turnstile.read(1):
        found += byte
    turnstile.close()
    return found, reasons


def through(data: bytes, **more: int) -> tuple[bytes, list[str]]:
    return asyncio.run(passed(data, **more))


GOOD = [
    packet(0x30, string(b"a/b") + b"payload"),
    packet(0x32, string(b"a/b") + b"\0\1" + b"payload"),
    packet(0x3D, string(b"a/b") + b"\0\1"),
    packet(0x82, b"\0\1" + string(b"a/#") + b"\1" + string(b"+/b") + b"\0"),
    packet(0xA2, b"\0\1" + string(b"a/#")),
    packet(0x62, b"\0\1"),
    packet(0xC0, b""),
    packet(0xE0, b""),
]

BAD = {
    "a CONNACK": (packet(0x20, b"\0\0"), "protocol"),
    "a reserved kind": (packet(0x00, b""), "protocol"),
    "a second CONNECT": (connect(), "protocol"),
    "QoS 3": (packet(0x36, string(b"a") + b"\0\1"), "protocol"),
    "a packet id of 0": (packet(0x32, string(b"a") + b"\0\0"), "protocol"),
    "a length of five bytes": (b"\x30\xff\xff\xff\xff\x7f", "protocol"),
    "a payload over the bound": (packet(0x30, b"", MAX_PAYLOAD_BYTES + 2000), "too_large"),
    "a ping with a body": (packet(0xC0, b"x"), "too_large"),
    "an endless SUBSCRIBE": (packet(0x82, b"", 1 << 20), "too_large"),
    "wrong flags": (packet(0x80, b"\0\1" + string(b"a") + b"\0"), "protocol"),
    "a topic with a wildcard": (packet(0x30, string(b"a/+")), "topic"),
    "a topic of the broker's": (packet(0x30, string(b"$SYS/x")), "topic"),
    "no topic": (packet(0x30, string(b"")), "topic"),
    "a long topic": (packet(0x30, string(b"a" * (BROKER_MAX_TOPIC_BYTES + 1))), "topic"),
    "a deep topic": (packet(0x30, string(b"/" * 40)), "topic"),
    "a topic that is not UTF-8": (packet(0x30, string(b"\xff")), "protocol"),
    "a topic with a zero": (packet(0x30, string(b"a\0")), "protocol"),
    "a topic longer than its packet": (packet(0x30, b"\0\x09a"), "protocol"),
    "a filter longer than its packet": (packet(0x82, b"\0\1\0\x09a\0"), "protocol"),
    "no filter": (packet(0x82, b"\0\1"), "protocol"),
    "a subscription with QoS 3": (packet(0x82, b"\0\1" + string(b"a") + b"\3"), "protocol"),
    "a short PUBREL": (packet(0x62, b"\1"), "protocol"),
    "an ack for nothing": (packet(0x40, b"\0\1"), "protocol"),
}  # fmt: skip


@pytest.mark.parametrize("good", GOOD, ids=lambda each: each[:1].hex())
def test_what_the_standard_allows_passes_as_it_came(good):
    """To the last byte, and the next packet after it."""
    assert through(good + packet(0xC0, b"")) == (good + packet(0xC0, b""), [])


def test_an_answer_that_is_owed_passes():
    """PUBACK for what was sent."""
    assert through(packet(0x40, b"\0\1"), owed=1) == (packet(0x40, b"\0\1"), [])


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_ends_the_connection_with_a_reason(case):
    """Nothing of it reaches amqtt."""
    data, reason = BAD[case]
    assert through(packet(0xC0, b"") + data) == (packet(0xC0, b""), [reason])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packet(0x30, string(b"a")), "protocol"),
        (b"GET / HTTP/1.1\r\n\r\n", "protocol"),
        (packet(0x10, b"", 1 << 20), "too_large"),
        (connect(level=5), "version"),
        (connect(level=0x84), "version"),
        (connect(level=0x85), "protocol"),
        (connect(level=9), "protocol"),
        (connect(name=b"HTTP"), "protocol"),
        (connect(flags=3), "protocol"),
        (connect(flags=0x1E), "protocol"),
        (connect(flags=0x80), "protocol"),
        (connect(rest=string(b"x") + b"more"), "protocol"),
        (connect(rest=string(b"\xff")), "protocol"),
        (connect(flags=6, rest=string(b"x") + string(b"a/#") + string(b"")), "topic"),
    ],
)
def test_a_connection_begins_with_a_good_connect(data, reason):
    """Small, whole, of MQTT 3.1.1."""
    with pytest.raises(BadPacket) as caught:
        asyncio.run(read_connect_of(data))
    assert caught.value.reason == reason


async def read_connect_of(data: bytes) -> bytes:
    return await read_connect(Paper(data))


def test_connect_comes_as_it_was_sent():
    """With will, user and password."""
    whole = connect(flags=0xC6, rest=b"".join(map(string, (b"x", b"a/b", b"{}", b"u", b"\xff"))))
    assert asyncio.run(read_connect_of(whole)) == whole


@given(st.binary(max_size=200))
def test_what_passes_of_garbage_is_whole_packets(data):
    """Whatever comes: good packets, and then one reason at most."""
    found, reasons = through(data)
    assert len(reasons) <= 1
    assert through(found) == (found, [])


def test_messages_that_are_not_routed_hold_up_the_next():
    """Until amqtt has handed one on."""

    async def check() -> None:
        one = packet(0x30, string(b"a") + b"x")
        stream = Paper(one * (BROKER_MAX_QUEUED + 1))
        turnstile = Turnstile(
            stream, b"", outlet=Outlet(stream), idle_s=5, budget=Budget(1000), unreleased=Budget(9),
            refused=lambda bad: None,
        )  # fmt: skip
        for _ in range(BROKER_MAX_QUEUED):
            assert await turnstile.read(len(one)) == one
        last = asyncio.ensure_future(turnstile.read(len(one)))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not last.done()
        turnstile.routed(1, 0)
        assert await last == one

    asyncio.run(check())


def test_what_is_never_released_is_bounded():
    """PUBLISH with QoS 2 and no PUBREL, for ever."""
    found, reasons = through(b"".join(
        packet(0x34, string(b"a") + number.to_bytes(2) + b"x" * 10) for number in range(1, 200)
    ))  # fmt: skip
    assert reasons == ["qos2"]
    assert found.count(b"x" * 10) == 100


def test_a_budget_is_shared_in_turn_and_given_back():
    """The first that waits is the first served; one who gives up leaves nothing behind."""

    async def check() -> None:
        budget = Budget(100)
        await budget.take(70)
        large, small = (
            asyncio.ensure_future(budget.take(60)),
            asyncio.ensure_future(budget.take(10)),
        )
        await asyncio.sleep(0)
        assert not budget.try_take(1)
        assert not large.done()
        assert not small.done()
        large.cancel()
        await asyncio.gather(large, return_exceptions=True)
        await small
        budget.give(70)
        budget.give(10)
        assert budget.left == 100
        await budget.take(1_000)
        budget.give(1_000)
        assert budget.left == 100

    asyncio.run(check())
