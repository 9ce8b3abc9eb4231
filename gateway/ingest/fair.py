"""Fair queueing: what waits is taken device by device, in turns of equal size. Pure.

Deficit round robin (Shreedhar and Varghese), in its variant that overdraws: a device whose turn it is
takes messages until its credit is used up, the last one in full; what it overdrew is missing in its next
turns. So a turn costs no look ahead, a payload of 8 MiB is paid for by 128 turns of waiting, and
devices get equal bytes whatever the size of their messages. Messages of one device keep their order.

Lines of devices that are held stand aside and lose no turn: they begin with a fresh credit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from gateway.ingest.arrival import Arrival
from headrace.limits.ingest import FAIR_MESSAGE_BYTES, FAIR_TURN_BYTES


@dataclass(slots=True)
class Line:
    """What waits of one device."""

    device: str
    arrivals: deque[Arrival] = field(default_factory=deque)
    bytes: int = 0
    credit: int = 0


class FairQueue:
    """A line per device, and the ring of those whose turn it will be."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._ring: deque[Line] = deque()
        self._aside: dict[str, Line] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def line(self, device: str) -> Line | None:
        """What waits of a device; None when that is nothing."""
        return self._lines.get(device)

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """Put each at the end of its device's line."""
        lines = self._lines
        for arrival in arrivals:
            line = lines.get(arrival.device)
            if line is None:
                line = lines[arrival.device] = Line(arrival.device)
                self._ring.append(line)
            line.arrivals.append(arrival)
            line.bytes += len(arrival.payload)

    def may_take(self, held: Collection[str]) -> bool:
        """Whether anything waits of a device that is not held."""
        return any(device not in held for device in self._lines)

    def take(self, *, max_batches: int, max_bytes: int, held: Collection[str]) -> list[Arrival]:
        """The next in turn, none of devices that are held."""
        self._back_from_aside(held)
        taken: list[Arrival] = []
        size, ring = 0, self._ring
        while ring and len(taken) < max_batches and size < max_bytes:
            line = ring[0]
            if line.device in held:
                self._aside[line.device] = ring.popleft()
                line.credit = 0
                continue
            if line.credit <= 0:
                line.credit += FAIR_TURN_BYTES
            size += self._take_turn(line, taken, max_batches, max_bytes - size)
            if not line.arrivals:
                del self._lines[ring.popleft().device]
            elif line.credit <= 0:
                ring.rotate(-1)
        return taken

    def _back_from_aside(self, held: Collection[str]) -> None:
        for device in [device for device in self._aside if device not in held]:
            self._ring.append(self._aside.pop(device))

    @staticmethod
    def _take_turn(line: Line, taken: list[Arrival], max_batches: int, max_bytes: int) -> int:
        """As much as the line's credit and the group allow; the bytes that were taken."""
        size, waiting = 0, line.arrivals
        while waiting and line.credit > 0 and len(taken) < max_batches and size < max_bytes:
            arrival = waiting.popleft()
            length = len(arrival.payload)
            taken.append(arrival)
            size += length
            line.credit -= length + FAIR_MESSAGE_BYTES
        line.bytes -= size
        return size
