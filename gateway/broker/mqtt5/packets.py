"""Packets as we make them and as we doubt them; the codec does the rest."""

from __future__ import annotations

from typing import Final

import mqtt5

from headrace.limits.broker import BROKER_MAX_PACKET_BYTES, BROKER_SESSION_EXPIRY_S

KEEPALIVE_S: Final = 30

#: What to look at where another client comes in under the same id.
TAKEN_OVER_HINT: Final = (
    " (another client comes in under the same id? Is a second gateway of this site running? Where the "
    "broker makes the client id of the user, each of broker.connections needs a certificate of its "
    "own, or set connections = 1)"
)


def connect_packet(client_id: str, username: str, password: bytes | None) -> mqtt5.ConnectPacket:
    """CONNECT for a session that the broker keeps while the gateway is away."""
    return mqtt5.ConnectPacket(
        client_id,
        username=username or None,
        password=password,
        clean_start=False,
        keep_alive=KEEPALIVE_S,
        session_expiry_interval=BROKER_SESSION_EXPIRY_S,
        max_packet_size=BROKER_MAX_PACKET_BYTES,
    )


def check_unfinished(unread: memoryview) -> None:
    """Whether more of a packet may come.

    Raises:
        ValueError: it is larger than we have said we take, or all there and does not parse.
    """
    length = 0
    for place, digit in enumerate(unread[1:5]):
        length |= (digit & 0x7F) << 7 * place
        if digit < 0x80:
            if length > BROKER_MAX_PACKET_BYTES:
                raise ValueError(f"a packet of {length} bytes, at most {BROKER_MAX_PACKET_BYTES}")
            if len(unread) >= 2 + place + length:
                raise ValueError("a packet that is shorter than its fields")
            return


def goodbye(packet: mqtt5.DisconnectPacket) -> str:
    """What the broker says when it ends a connection."""
    taken_over = packet.reason_code == mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER
    text = f"{packet.reason_code.name} {packet.reason_str or ''}".strip()
    return text + (TAKEN_OVER_HINT if taken_over else hint(packet.reason_code.name))


def hint(code: str) -> str:
    """What to do about a reason code; empty where its name says it."""
    if code == "SHARED_SUBSCRIPTIONS_NOT_SUPPORTED":
        return "; it shares no subscriptions: set broker.connections = 1"
    return ""
