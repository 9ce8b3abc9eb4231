"""What a broker answers, byte by byte, without a network."""

from __future__ import annotations

import asyncio
from collections import deque

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.broker.mqtt5.connection import Connection, Refused
from gateway.broker.mqtt5.packets import connect_packet
from gateway.broker.reception import Reception
from gateway.ingest.inbox import Inbox
from gateway.live import Live
from headrace.clock import ManualClock
from headrace.limits.broker import BROKER_MAX_PACKET_BYTES
from headrace.metrics import Metrics
from headrace.topics import Topics

CONNACK = mqtt5.ConnAckPacket(receive_max=20).write()
SUBACK = mqtt5.SubAckPacket(65_535, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]).write()


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_reading(self) -> bool:
        return True

    def pause_reading(self) -> None:
        pass


class Talk:
    """A connection, its wire and its inbox."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.outgoing: deque[tuple[str, bytes, bool]] = deque()
        reception = Reception(Topics(), self.inbox, Live(), ManualClock(), Metrics("gateway"))
        packet = connect_packet("gateway", "", None)
        self.connection = Connection(packet, ["a/+/data/+"], [], reception, self.outgoing)
        self.wire = Wire()
        self.connection.connection_made(self.wire)

    async def hear(self, *pieces: bytes) -> str:
        """Data comes; why the connection ended, if it did."""
        for piece in pieces:
            self.connection.data_received(piece)
        await asyncio.sleep(0)
        return self.connection.closed.result() if self.connection.closed.done() else ""

    def refusal(self) -> Refused | None:
        future = self.connection.subscribed
        found = future.exception() if future.done() else None
        assert found is None or isinstance(found, Refused)
        return found


def talk(*pieces: bytes) -> tuple[Talk, str]:
    async def run() -> tuple[Talk, str]:
        made = Talk()
        ended = await made.hear(*pieces)
        made.refusal()
        return made, ended

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "too_old"),
    [
        (b"\x20\x02\x00\x01", True),
        (b"\x20\x03\x00\x84\x00", True),
        (b"\x20\x03\x00\x87\x00", False),
        (b"\x20\x03\x00\x86\x00", False),
        (b"\x00\x00", True),
    ],
)
def test_only_a_broker_without_mqtt_5_is_taken_for_old(answer, too_old):
    """A wrong password must not end in another protocol."""
    made, ended = talk(answer)
    refusal = made.refusal()
    assert ended
    assert refusal is not None
    assert refusal.too_old == too_old


def test_a_refused_subscription_is_said():
    """By a broker's ACL; mosquitto 2.0.11 says yes and delivers nothing."""
    refused = mqtt5.SubAckPacket(65_535, [mqtt5.SubAckReasonCode.NOT_AUTHORIZED]).write()
    made, ended = talk(CONNACK, refused)
    assert "refused the subscription: NOT_AUTHORIZED" in ended
    assert made.wire.closed


def test_a_broker_that_shares_no_subscriptions_is_told_apart():
    """With the key to change."""
    code = mqtt5.SubAckReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    _, ended = talk(CONNACK, mqtt5.SubAckPacket(65_535, [code]).write())
    assert "set broker.connections = 1" in ended


@pytest.mark.parametrize(
    ("granted", "kept_s", "said"),
    [
        (1, None, []),
        (1, 604_800, []),
        (1, 3_600, ["forgets the gateway 3600 s after"]),
        (0, 60, ["QoS 0", "60 s after"]),
    ],
)
def test_a_broker_that_grants_less_is_used_and_found_out(granted, kept_s, said):
    """No QoS 1, or a session that ends before the gateway is back."""
    connack = mqtt5.ConnAckPacket(receive_max=20, session_expiry_interval=kept_s).write()
    made, ended = talk(connack, mqtt5.SubAckPacket(65_535, [mqtt5.SubAckReasonCode(granted)]).write())  # fmt: skip
    assert not ended
    assert len(made.connection.lacking) == len(said)
    assert all(part in text for part, text in zip(said, made.connection.lacking, strict=True))


def test_a_session_that_is_taken_over_says_what_to_look_at():
    """Two gateways, or a broker that gives all connections one client id."""
    packet = mqtt5.DisconnectPacket(
        reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER
    ).write()
    assert "broker.connections" in talk(CONNACK, SUBACK, packet)[1]


@pytest.mark.parametrize(
    "data",
    [
        b"\x30\xff\xff\xff\x7f",
        bytes([0x30]) + b"\x81\x80\x80\x08",
        b"\x30\xff\xff\xff\xff\x7f",
        b"\xf0\x00",
        b"\x32\x03\x00\x01a",
    ],
)
def test_a_broker_that_sends_nonsense_is_left(data):
    """Also when it announces 256 MB: what is never whole would be kept for ever."""
    made, ended = talk(CONNACK, SUBACK, data)
    assert "not MQTT 5" in ended
    assert made.wire.closed


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_garbage_raises_nothing_and_is_not_kept(pieces):
    """After a good beginning, in any pieces."""
    made, ended = talk(CONNACK, SUBACK, *pieces)
    assert ended or len(made.connection._unread) <= sum(map(len, pieces))


def test_a_large_message_in_pieces_arrives_once():
    """8 MiB, as TCP brings it."""
    packet = mqtt5.PublishPacket(
        "headrace/v1/d/data/xml", bytes(8 << 20), qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1
    )
    data = CONNACK + SUBACK + packet.write()
    made, ended = talk(*(data[at : at + 65_536] for at in range(0, len(data), 65_536)))
    assert not ended
    assert made.inbox._bytes == 8 << 20
    assert len(data) < BROKER_MAX_PACKET_BYTES


def test_no_more_is_sent_than_the_broker_takes():
    """Its receive maximum; the rest waits for PUBACKs."""

    async def run() -> None:
        made = Talk()
        made.outgoing.extend(("a/ack", b"{}", False) for _ in range(50))
        await made.hear(CONNACK, SUBACK)
        assert len(made.outgoing) == 30
        await made.hear(mqtt5.PubAckPacket(1).write(), mqtt5.PubAckPacket(2).write())
        await asyncio.sleep(0)
        assert len(made.outgoing) == 28

    asyncio.run(run())
