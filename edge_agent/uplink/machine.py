"""What the uplink does next: a state machine without sockets, threads, clocks or chance.

``now`` (monotonic seconds) and ``jitter`` (a function giving 0 to 1) are arguments. Every call
returns actions for the driver to carry out, in order.

=============  ======================  ====================================================
state          event                   what follows
=============  ======================  ====================================================
disconnected   tick, pause over        Connect → connecting
connecting     connected               Send everything in flight in order → connected
connecting     disconnected            longer pause → disconnected
connected      offer (room in window)  Send
connected      ack, covered whole      Forget, frees its place
connected      nack, covered whole     Refuse, frees its place
connected      nack of a payload       Refuse the batch whose payload has that CRC-32
connected      tick, ack overdue       Send again; Disconnect when even the broker is silent
connected      disconnected            keep what is in flight → disconnected
=============  ======================  ====================================================

Invariants: never more than the window in flight, in batches and in bytes (one batch larger than the
bytes may go alone); a batch leaves only by ack, nack, or the end of the process (it is still in the
buffer then); what is acknowledged without being in flight is ignored, it will be sent and
acknowledged again.

**Pauses.** Full jitter: uniform between 0 and the backoff, which doubles up to its maximum. It falls
back to the first one only by progress: an ack, or a connection that has held for a while. A broker
that accepts the connection and drops it at the first publish (mosquitto does so over TLS when an ACL
denies the topic) therefore meets longer and longer pauses, not a loop.

**Silence.** When nothing was acknowledged since the last resend, the gateway is away, not one
message lost: only the oldest batch is sent again until something comes back, so that a broker that
queues for an absent gateway is not filled with copies.

**Refusals.** A payload that is too broken to say which readings it holds is named by its CRC-32 in
the nack. A nack that fits nothing in flight is ignored: that batch goes out again and is named again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from headrace.limits.agent import (
    RETRY_FIRST_S,
    RETRY_MAX_S,
    UPLINK_ACK_TIMEOUT_S,
    UPLINK_WINDOW_BATCHES,
    UPLINK_WINDOW_BYTES,
)
from headrace.ranges import Range, RangeSet
from headrace.wire import payload_crc

NEVER = float("inf")


class State(Enum):
    """Of the connection to the broker."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection; answer with ``connected`` or ``disconnected``."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Drop the connection; answer with ``disconnected``."""

    why: str


@dataclass(frozen=True, slots=True)
class Send:
    """Publish this batch; ``again`` when it was published before."""

    first_seq: int
    last_seq: int
    payload: bytes
    again: bool


@dataclass(frozen=True, slots=True)
class Forget:
    """The gateway has these on disk: delete them."""

    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Refuse:
    """The gateway keeps these in quarantine: delete and count them."""

    ranges: tuple[Range, ...]
    reason: str


Action = Connect | Disconnect | Send | Forget | Refuse


@dataclass(frozen=True, slots=True)
class Limits:
    """Window and times; see ``headrace.limits`` for the reasons."""

    window_batches: int = UPLINK_WINDOW_BATCHES
    window_bytes: int = UPLINK_WINDOW_BYTES
    ack_timeout_s: float = UPLINK_ACK_TIMEOUT_S
    retry_first_s: float = RETRY_FIRST_S
    retry_max_s: float = RETRY_MAX_S


@dataclass(slots=True)
class _InFlight:
    first_seq: int
    last_seq: int
    payload: bytes
    due: float = NEVER
    attempts: int = 0
    on_wire: bool = False  # given to the client, not yet taken by the broker
    acked: RangeSet = field(default_factory=RangeSet)


class Machine:
    """The uplink's rules. Not thread-safe: one thread drives it."""

    def __init__(self, stream: str, *, limits: Limits, jitter: Callable[[], float]) -> None:
        self.state = State.DISCONNECTED
        self._stream = stream
        self._limits = limits
        self._jitter = jitter
        self._flights: dict[int, _InFlight] = {}  # by first seq, in order
        self._bytes = 0
        self._connect_at = 0.0
        self._connected_at = 0.0
        self._failures = 0
        self._silent = False

    # --- what the driver asks ---------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Batches waiting for an ack."""
        return len(self._flights)

    @property
    def in_flight_bytes(self) -> int:
        return self._bytes

    def room(self, size: int = 0) -> bool:
        """Whether a batch of ``size`` bytes may be offered now."""
        if self.state is not State.CONNECTED:
            return False
        if not self._flights:
            return True
        limits = self._limits
        return (
            len(self._flights) < limits.window_batches and self._bytes + size <= limits.window_bytes
        )

    def next_tick(self) -> float:
        """When ``tick`` has something to do, on the monotonic clock."""
        if self.state is State.DISCONNECTED:
            return self._connect_at
        if self.state is State.CONNECTING:
            return NEVER
        return min((flight.due for flight in self._flights.values()), default=NEVER)

    # --- events -----------------------------------------------------------------------------------

    def offer(self, first_seq: int, last_seq: int, payload: bytes, now: float) -> list[Action]:
        """A batch that follows the ones in flight; only when there is ``room``."""
        flight = _InFlight(first_seq, last_seq, payload)
        self._flights[first_seq] = flight
        self._bytes += len(payload)
        return [self._send(flight, now)]

    def connected(self, now: float) -> list[Action]:
        """The broker has accepted us and the subscriptions."""
        self.state = State.CONNECTED
        self._connected_at = now
        return [self._send(flight, now) for flight in self._flights.values()]

    def disconnected(self, now: float) -> list[Action]:
        """The connection could not be made, or is gone."""
        held = now - self._connected_at if self.state is State.CONNECTED else 0.0
        if held >= self._limits.retry_max_s:
            self._failures = 0
        self.state = State.DISCONNECTED
        for flight in self._flights.values():
            flight.on_wire, flight.due = False, NEVER
        self._connect_at = now + self._pause(self._failures)
        self._failures += 1
        return []

    def published(self, first_seq: int) -> None:
        """The broker has taken a batch (PUBACK). Frees nothing here: only the gateway's ack does."""
        flight = self._flights.get(first_seq)
        if flight is not None:
            flight.on_wire = False

    def acked(self, stream: str, ranges: Sequence[Range], now: float) -> list[Action]:
        """The gateway has these numbers on disk."""
        done = self._settle(stream, ranges)
        if not done:
            return []
        self._failures = 0
        if self._silent:
            self._silent = False
            # It is back: what waited behind the oldest need not wait for its own timeout.
            for flight in self._flights.values():
                if flight.due != NEVER:
                    flight.due = min(flight.due, now + self._pause(0))
        return [Forget(tuple(done))]

    def nacked(self, stream: str, ranges: Sequence[Range], crc: int, reason: str) -> list[Action]:
        """The gateway has refused these for good; without ranges, the payload of that CRC-32."""
        if not ranges:
            ranges = [
                (flight.first_seq, flight.last_seq)
                for flight in self._flights.values()
                if payload_crc(flight.payload) == crc
            ]
            stream = stream or self._stream
        done = self._settle(stream, ranges)
        return [Refuse(tuple(done), reason)] if done else []

    def tick(self, now: float) -> list[Action]:
        """Time has passed."""
        if self.state is State.DISCONNECTED and now >= self._connect_at:
            self.state = State.CONNECTING
            return [Connect()]
        if self.state is not State.CONNECTED:
            return []
        overdue = [flight for flight in self._flights.values() if flight.due <= now]
        return self._resend(overdue, now) if overdue else []

    # --- the rules --------------------------------------------------------------------------------

    def _send(self, flight: _InFlight, now: float) -> Send:
        again = flight.attempts > 0
        wait = self._limits.ack_timeout_s + self._pause(flight.attempts)
        flight.due = now + wait
        flight.attempts += 1
        flight.on_wire = True
        return Send(flight.first_seq, flight.last_seq, flight.payload, again)

    def _resend(self, overdue: list[_InFlight], now: float) -> list[Action]:
        if any(flight.on_wire for flight in overdue):
            # Not even the broker has answered: the connection is dead without having said so, and
            # publishing again would only hand the client a second copy.
            return [Disconnect("the broker has not taken a batch in time")]
        if not self._silent:
            self._silent = True
            return [self._send(flight, now) for flight in overdue]
        oldest = next(iter(self._flights.values()))
        action = self._send(oldest, now)
        for flight in self._flights.values():
            flight.due = max(flight.due, oldest.due)
        return [action]

    def _pause(self, failures: int) -> float:
        longest = self._limits.retry_first_s * 2.0 ** min(failures, 30)
        return self._jitter() * min(self._limits.retry_max_s, longest)

    def _settle(self, stream: str, ranges: Sequence[Range]) -> list[Range]:
        """Take out of the window what the ranges cover whole; returns those batches' ranges."""
        if stream != self._stream:
            return []
        done = []
        for first, last in ranges:
            for flight in [f for f in self._flights.values() if _overlap(f, first, last)]:
                flight.acked.add(max(first, flight.first_seq), min(last, flight.last_seq))
                if not flight.acked.missing(flight.first_seq, flight.last_seq):
                    self._remove(flight)
                    done.append((flight.first_seq, flight.last_seq))
        return done

    def _remove(self, flight: _InFlight) -> None:
        del self._flights[flight.first_seq]
        self._bytes -= len(flight.payload)


def _overlap(flight: _InFlight, first: int, last: int) -> bool:
    return flight.first_seq <= last and first <= flight.last_seq
