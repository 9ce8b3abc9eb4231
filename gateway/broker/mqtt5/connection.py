"""One MQTT 5 connection: what arrives goes to the inbox, PUBACKs and acks go out in one write.

A message's PUBACK waits until the journal has it. The ingest thread says so one message at a time, the
event loop hears of it once per group. When the inbox is full nothing is read from the socket any more:
TCP pushes back and the broker queues.

A connection lives in the event loop's thread. ``publish`` and what ``take`` gets as ``done`` may be
called from any thread, also when the connection is long gone: then they do nothing, because a PUBACK
means something only on the connection that brought the message, and the broker delivers it again on
the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final, cast

import mqtt5
from mqtt5 import ConnAckPacket, PubAckPacket, PublishPacket, QoS, SubAckPacket, TopicFilter

from gateway.broker.mqtt5.packets import KEEPALIVE_S, check_unfinished, goodbye, hint
from gateway.broker.mqtt5.window import SUBSCRIBE_ID, UNSUBSCRIBE_ID, Outgoing, Window
from gateway.broker.reception import Reception
from gateway.broker.terms import lacking
from headrace.errors import PayloadError

#: Pause between two looks at a full inbox: a commit takes about this long.
_ROOM_POLL_S: Final = 0.002


class Refused(Exception):
    """The broker did not say yes; ``too_old``: it speaks no MQTT 5; ``unanswered``: nobody knows."""

    def __init__(self, reason: str, *, too_old: bool = False, unanswered: bool = False) -> None:
        super().__init__(reason)
        self.too_old = too_old
        self.unanswered = unanswered


class Connection(asyncio.Protocol):
    """From CONNECT to the end of one TCP connection.

    Args:
        connect: the packet to begin with.
        filters: what to subscribe to; ``unwanted``: what an earlier life of the session may have
            subscribed to instead.
        outgoing: what waits to be published; shared with later connections.

    Attributes:
        lacking: what the broker grants less of than the gateway promises; known once ``subscribed``.
    """

    def __init__(
        self,
        connect: mqtt5.ConnectPacket,
        filters: Sequence[str],
        unwanted: Sequence[str],
        reception: Reception,
        outgoing: deque[Outgoing],
    ) -> None:
        self._connect = connect
        self._filters = filters
        self._unwanted = unwanted
        self._reception = reception
        self._window = Window(outgoing)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._settled: deque[int] = deque()
        self._flush_due = False
        self._kept_s: int | None = None
        self._heard = 0.0
        self._keepalive_s: float = KEEPALIVE_S
        self.answered = False
        self.lacking: list[str] = []
        self.subscribed: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[str] = self._loop.create_future()

    # --- from any thread ---------------------------------------------------------------------------

    def flush_soon(self) -> None:
        """Send what waits, in the event loop; many calls are one."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon_threadsafe(self._flush)

    def _settle(self, packet_id: int, _refused: PayloadError | None) -> None:
        """The journal (or the quarantine) has a message."""
        self._settled.append(packet_id)
        self.flush_soon()

    # --- the transport -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._heard = self._loop.time()
        self._transport.write(self._connect.write())
        self._loop.call_later(KEEPALIVE_S / 2, self._keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end(f"connection lost: {exc or 'closed by the broker'}")

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._unread += data
        try:
            self._read_packets()
        except ValueError as error:
            # A broker that only speaks MQTT 3.1.1 answers CONNECT with a packet of its own version.
            self._end(f"not MQTT 5: {error}", too_old=not self.answered)
            self.close()
            return
        if not self._reception.inbox.has_room:
            self._hold()

    def close(self) -> None:
        """Leave without a trace: the broker keeps the session."""
        if self._transport is not None:
            self._transport.write(mqtt5.DisconnectPacket().write())
            self._transport.close()

    # --- packets -----------------------------------------------------------------------------------

    def _read_packets(self) -> None:
        reception, now = self._reception, self._reception.now_us()
        arrived = []
        at, end = 0, len(self._unread)
        with memoryview(self._unread) as unread:
            while at < end:
                try:
                    packet, used = mqtt5.read(unread[at:])
                except IndexError:
                    check_unfinished(unread[at:])
                    break  # the rest of it is on its way
                at += used
                if type(packet) is not PublishPacket:
                    self._handle(packet)
                    continue
                done = None if packet.packet_id is None else partial(self._settle, packet.packet_id)
                arrival = reception.sort(packet.topic, packet.payload, now, done)
                if arrival is not None:
                    arrived.append(arrival)
        del self._unread[:at]
        if arrived:
            reception.inbox.put(arrived)

    def _handle(self, packet: mqtt5.Packet) -> None:
        match packet:
            case PubAckPacket():
                if self._window.acknowledged(packet.packet_id):
                    self.flush_soon()
            case ConnAckPacket():
                self._connected(packet)
            case SubAckPacket():
                self._subscribed(packet)
            case mqtt5.DisconnectPacket():
                self._end(f"the broker ends it: {goodbye(packet)}")
            case _:
                pass  # PINGRESP, UNSUBACK: that they came is all they say

    def _connected(self, packet: ConnAckPacket) -> None:
        self.answered = True
        if packet.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            too_old = packet.reason_code == mqtt5.ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION
            self._end(f"refused the connection: {packet.reason_code.name}", too_old=too_old)
            self.close()
            return
        self._window.size = packet.receive_max
        self._kept_s = packet.session_expiry_interval
        if packet.server_keep_alive is not None:
            # 0 means that the broker does not mind; we do, to notice when it is gone.
            self._keepalive_s = packet.server_keep_alive or KEEPALIVE_S
            if self._keepalive_s < KEEPALIVE_S:
                self._loop.call_later(self._keepalive_s / 2, self._keep_alive)
        # Also in a session that exists: a setting may have changed since it was made.
        if packet.session_present and self._unwanted:
            self._write(mqtt5.UnsubscribePacket(UNSUBSCRIBE_ID, list(self._unwanted)).write())
        filters = [TopicFilter(each, max_qos=QoS.AT_LEAST_ONCE) for each in self._filters]
        self._write(mqtt5.SubscribePacket(SUBSCRIBE_ID, filters).write())

    def _subscribed(self, packet: SubAckPacket) -> None:
        # int(): the codec's codes do not compare with numbers, whatever its stubs say.
        refused = [code for code in packet.reason_codes if int(code) >= 128]
        if refused:
            code = refused[0].name
            self._end(f"refused the subscription: {code}{hint(code)}")
            self.close()
        elif not self.subscribed.done():
            granted = [int(code) for code in packet.reason_codes]
            self.lacking = list(lacking(granted, self._kept_s))
            self.subscribed.set_result(None)
            self._flush()

    def _end(self, why: str, *, too_old: bool = False) -> None:
        """Say once why this connection is over."""
        if not self.subscribed.done():
            unanswered = not self.answered and not too_old
            self.subscribed.set_exception(Refused(why, too_old=too_old, unanswered=unanswered))
        if not self.closed.done():
            self.closed.set_result(why)

    # --- out ---------------------------------------------------------------------------------------

    def _flush(self) -> None:
        # Cleared first: what comes during the work is seen by it or asks for another flush.
        self._flush_due = False
        if self._transport is None:
            return
        packets: list[bytes] = []
        settled = self._settled
        while settled:
            packets.append(PubAckPacket(settled.popleft()).write())
        if self.subscribed.done():
            packets += self._window.publishes()
        if packets:
            self._write(b"".join(packets))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    # --- time --------------------------------------------------------------------------------------

    def _keep_alive(self) -> None:
        if self._transport is None:
            return
        silent_s = self._loop.time() - self._heard
        if self._transport.is_reading() and silent_s > 1.5 * self._keepalive_s:
            self._end(f"nothing heard for {silent_s:.0f} s")
            self._transport.abort()
            return
        self._write(mqtt5.PingReqPacket().write())
        self._loop.call_later(self._keepalive_s / 2, self._keep_alive)

    def _hold(self) -> None:
        """Read nothing until there is room."""
        if self._transport is None:
            return
        if self._reception.inbox.has_room:
            self._heard = self._loop.time()
            self._transport.resume_reading()
            return
        self._transport.pause_reading()
        self._loop.call_later(_ROOM_POLL_S, self._hold)
