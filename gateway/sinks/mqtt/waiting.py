"""What was published and is not confirmed yet. Pure: packets are told to it, it touches no network.

A message is done with the broker's PUBACK, or, where a gateway is to have it, with that gateway's ack
of all its readings; a nack, or a PUBACK that says no (MQTT 5), refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.sinks.mqtt.message import Message
from headrace import wire
from headrace.ranges import RangeSet


class Waiting:
    """The messages of one delivery, by their places."""

    def __init__(self, messages: Sequence[Message], *, for_ack: bool) -> None:
        self._messages = messages
        self._for_ack = for_ack
        self._places: dict[int, int] = {}
        self._early: set[int] = set()
        self._acked: dict[tuple[str, str], RangeSet] = {}
        self._open: dict[int, Message] = {}
        self.bytes = 0
        self.done: set[int] = set()
        self.refused: dict[int, tuple[str, str]] = {}
        self.failure = ""

    @property
    def count(self) -> int:
        """Messages that are out and not confirmed."""
        return len(self._open)

    @property
    def confirmed(self) -> int:
        """Messages that have been answered, one way or the other."""
        return len(self.done) + len(self.refused)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be waited for."""
        return bool(self.failure) or self.confirmed == len(self._messages)

    def publishes(self, place: int) -> None:
        """A message is about to go out."""
        self._open[place] = self._messages[place]
        self.bytes += len(self._messages[place].payload)

    def published(self, place: int, mid: int) -> None:
        """It has gone out as packet ``mid``, whose PUBACK may have been faster than this."""
        if self._for_ack:
            return
        self._places[mid] = place
        if mid in self._early:
            self._finish(place)

    def puback(self, mid: int, refusal: str) -> None:
        """The broker has a packet, or (MQTT 5) says why not."""
        if refusal:
            self.failure = self.failure or f"the broker refuses a message: {refusal}"
        elif not self._for_ack and mid in self._places:
            self._finish(self._places.pop(mid))
        elif not self._for_ack:
            self._early.add(mid)

    def ack(self, device: str, ack: wire.Ack) -> None:
        """A gateway has readings on disk."""
        known = self._acked.setdefault((device, ack.stream), RangeSet())
        for first, last in ack.ranges:
            if first <= last:
                known.add(first, last)
        for place, message in list(self._open.items()):
            who = message.identity
            if who is not None and (who.device, who.stream) == (device, ack.stream) and not known.missing(who.first_seq, who.last_seq):  # fmt: skip
                self._finish(place)

    def nack(self, device: str, nack: wire.Nack) -> None:
        """A gateway will never take a message, told by its checksum or by its readings."""
        for place, message in list(self._open.items()):
            if message.identity is not None and message.identity.device == device and _is_meant(message, nack):  # fmt: skip
                self._finish(place)
                self.done.discard(place)
                self.refused[place] = (nack.reason[:40], nack.detail)

    def _finish(self, place: int) -> None:
        message = self._open.pop(place, None)
        if message is not None:
            self.bytes -= len(message.payload)
            self.done.add(place)


def _is_meant(message: Message, nack: wire.Nack) -> bool:
    who = message.identity
    if nack.ranges and who is not None:
        covered = RangeSet(pair for pair in nack.ranges if pair[0] <= pair[1])
        return nack.stream == who.stream and not covered.missing(who.first_seq, who.last_seq)
    return nack.crc == wire.payload_crc(message.payload)
