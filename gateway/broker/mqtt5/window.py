"""What is published and not yet acknowledged: never more than the broker has said that it takes."""

from __future__ import annotations

from collections import deque
from typing import Final

from mqtt5 import PublishPacket, QoS

#: Topic, payload, retain.
Outgoing = tuple[str, bytes, bool]

SUBSCRIBE_ID: Final = 65_535
UNSUBSCRIBE_ID: Final = 65_534
#: Ids of what is published lie below those of the two packets above.
_MAX_ID: Final = 65_533


class Window:
    """Of one connection.

    Args:
        outgoing: what waits to be published; shared with later connections.
    """

    def __init__(self, outgoing: deque[Outgoing]) -> None:
        self._outgoing = outgoing
        self._in_flight: set[int] = set()
        self._last_id = 0
        self.size = 0

    def acknowledged(self, packet_id: int) -> bool:
        """A PUBACK; whether more can be sent for it."""
        self._in_flight.discard(packet_id)
        return bool(self._outgoing)

    def publishes(self) -> list[bytes]:
        """As much of what waits as the broker takes."""
        made: list[bytes] = []
        while self._outgoing and len(self._in_flight) < self.size:
            topic, payload, retain = self._outgoing.popleft()
            packet_id = self._next_id()
            self._in_flight.add(packet_id)
            packet = PublishPacket(
                topic, payload, qos=QoS.AT_LEAST_ONCE, retain=retain, packet_id=packet_id
            )
            made.append(packet.write())
        return made

    def _next_id(self) -> int:
        # The window is smaller than the ids are many, so one is free.
        while True:
            self._last_id = self._last_id % _MAX_ID + 1
            if self._last_id not in self._in_flight:
                return self._last_id
