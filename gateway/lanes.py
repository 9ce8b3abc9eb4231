"""Which batches a reader of the journal takes next: live first, history beside it at a limited rate.

A reader that comes back after an outage has a choice: bring the dashboards up to date last, or leave
a hole and fill it afterwards. ``Lanes`` does the second. Positions are offsets of the journal::

      done          history        done      live
    ─────────┤ (after, up_to] ├───────────┤·········► head
          cursor                         live

- **Live** goes on behind ``live``. When it is late (what comes next is older than ``live_within_s``,
  and more than one delivery behind), it jumps to the head, and what lay between becomes history.
- **Backfill** works off the ranges of history, oldest first. Its turn comes when the last read of
  the live lane reached the head, and it has rested long enough: it takes at most ``backfill_share``
  of the destination's time and ``backfill_readings_per_s``. What arrives meanwhile waits behind one
  delivery of history, so that is cut to what the destination takes in half a second.
- The **cursor** is the end of what is done without a hole, so the journal keeps all history that is
  not done. ``state`` says what is done above it. Both only ever tell what is true for good, so any
  older state beside any newer cursor is safe: a kill costs repeated deliveries and never a batch.
- Order holds within a lane. Ranges are bounded: with the table full the live lane is late instead.

Everybody who needs all batches in order (rules, inference) has ``IN_ORDER``: one lane, no limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from headrace.errors import StorageCorrupt
from headrace.limits.consumers import CONSUMER_MAX_ROWS
from headrace.limits.sinks import (
    BACKFILL_DELIVERY_S,
    BACKFILL_MAX_ROWS,
    BACKFILL_MIN_ROWS,
    BACKFILL_SHARE,
    LANES_MAX_RANGES,
    LANES_SAVE_S,
    LIVE_WITHIN_S,
)

Lane = Literal["live", "backfill"]

#: The key of ``state`` among what a consumer stores.
STATE_KEY: Final = "lanes"

_NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePolicy:
    """What a reader asks for; a rate of 0 is no limit."""

    live_first: bool = False
    live_within_s: float = LIVE_WITHIN_S
    max_readings_per_s: float = 0.0
    backfill_readings_per_s: float = 0.0
    backfill_share: float = BACKFILL_SHARE


IN_ORDER: Final = LanePolicy()


@dataclass(frozen=True, slots=True)
class Turn:
    """What to read next: ``after < offset <= up_to`` (None: no end), about ``max_rows`` readings.

    ``wait_s``: how long a read that finds nothing may wait; ``rest_s``: do nothing for so long.
    """

    lane: Lane
    after: int
    up_to: int | None
    max_rows: int
    wait_s: float = 0.0
    rest_s: float = 0.0


class _Stored(msgspec.Struct):
    live: int
    ranges: list[tuple[int, int]]


class Bucket:
    """Readings that may go; it may run into debt by one delivery, and saves up one second at most."""

    def __init__(self, per_s: float) -> None:
        self.per_s = per_s
        self._level = per_s
        self._at: float | None = None

    def ready_in(self, now: float) -> float:
        """Seconds until something may go."""
        if not self.per_s:
            return 0.0
        if self._at is not None:
            self._level = min(self.per_s, self._level + (now - self._at) * self.per_s)
        self._at = now
        return 0.0 if self._level > 0 else (1 - self._level) / self.per_s

    def take(self, readings: int) -> None:
        self._level -= readings


class Lanes:
    """Where one reader is, and what it does next; ``now`` is a monotonic time in seconds."""

    def __init__(self, policy: LanePolicy, cursor: int = 0, state: bytes | None = None) -> None:
        stored = _decode(state) if state is not None else _Stored(cursor, [])
        self.policy = policy
        self.live = max(stored.live, cursor)
        self._ranges = [(max(a, cursor), b) for a, b in stored.ranges if b > cursor]
        self._total = Bucket(policy.max_readings_per_s)
        self._history = Bucket(policy.backfill_readings_per_s)
        self._at_head = False
        self._rested_at = 0.0
        self._piece = BACKFILL_MAX_ROWS
        self._saved = _Stored(self.live, list(self._ranges))
        self._saved_at = 0.0

    @property
    def cursor(self) -> int:
        """Everything up to here is done."""
        return self._ranges[0][0] if self._ranges else self.live

    @property
    def backlog(self) -> int:
        """Batches of history that are not done."""
        return sum(up_to - after for after, up_to in self._ranges)

    def turn(self, now: float, tick_s: float) -> Turn:
        """What to do next; ``tick_s`` bounds how long it may wait."""
        rest = self._total.ready_in(now)
        if rest > 0:
            return Turn("live", self.live, None, 0, rest_s=min(rest, tick_s))
        due_in = self._backfill_in(now)
        if due_in <= 0 and self._at_head:
            after, up_to = self._ranges[0]
            return Turn("backfill", after, up_to, self._backfill_rows())
        rows = _one_second(CONSUMER_MAX_ROWS, self._total)
        return Turn("live", self.live, None, rows, wait_s=min(tick_s, max(due_in, 0.0)))

    def _backfill_in(self, now: float) -> float:
        if not self._ranges:
            return _NEVER
        return max(self._rested_at - now, self._history.ready_in(now))

    def _backfill_rows(self) -> int:
        most = min(BACKFILL_MAX_ROWS, self._piece)
        return min(_one_second(most, each) for each in (self._total, self._history))

    def jump(self, turn: Turn, first: int, newest: int, head: int, age_s: float) -> bool:
        """Go on at the head instead of delivering a live read that is late; whether it did.

        Args:
            first, newest: offsets of what was read.
            age_s: how long ago the first of it arrived.
        """
        late = newest < head and age_s > self.policy.live_within_s
        if turn.lane != "live" or not self.policy.live_first or not late:
            return False
        if self._ranges and self._ranges[-1][1] >= first - 1:
            self._ranges[-1] = (self._ranges[-1][0], head)
        elif len(self._ranges) < LANES_MAX_RANGES:
            self._ranges.append((first - 1, head))
        else:
            return False
        self.live, self._at_head = head, True
        return True

    def done(
        self, turn: Turn, offset: int, *, rows: int, head: int, now: float, took_s: float
    ) -> None:
        """Everything of the turn up to ``offset`` is done, or is gone from the journal.

        Args:
            head: of the journal before the turn was read.
            took_s: how long the destination was busy with it.
        """
        self._total.take(rows)
        # A few live readings tell the way there and back and not how many more would take.
        if took_s > 0 and (turn.lane == "backfill" or rows >= BACKFILL_MIN_ROWS):
            self._piece = max(BACKFILL_MIN_ROWS, int(rows / took_s * BACKFILL_DELIVERY_S))
        if turn.lane == "live":
            self.live = max(self.live, offset)
            self._at_head = offset >= head
            return
        self._history.take(rows)
        share = self.policy.backfill_share
        self._rested_at = now + took_s * (1 - share) / share
        self._at_head = False
        after, up_to = max(self._ranges[0][0], offset), self._ranges[0][1]
        self._ranges[:1] = [(after, up_to)] if after < up_to else []

    def state(self, now: float, *, at_once: bool = False) -> dict[str, bytes | None]:
        """What to store with the cursor, if it is time to: nothing in the ordinary case of one lane.

        A change of the ranges is stored with the next commit, mere progress once a second.
        """
        present = _Stored(self.live, list(self._ranges))
        if not self._ranges and not self._saved.ranges:
            return {}
        reshaped = len(present.ranges) != len(self._saved.ranges)
        waits = not reshaped and not at_once and now - self._saved_at < LANES_SAVE_S
        if waits or present == self._saved:
            return {}
        self._saved, self._saved_at = present, now
        return {STATE_KEY: msgspec.json.encode(present) if self._ranges else None}


def _one_second(most: int, bucket: Bucket) -> int:
    return min(most, max(1, int(bucket.per_s))) if bucket.per_s else most


def _decode(state: bytes) -> _Stored:
    try:
        return msgspec.json.decode(state, type=_Stored)
    except msgspec.MsgspecError as error:
        raise StorageCorrupt(
            f"a sink's lanes in the journal cannot be read: {error}",
            hint="`gateway journal stat` names the sinks; rename this one to start it anew",
        ) from error
