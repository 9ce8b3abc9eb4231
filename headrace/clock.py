"""The clock port: pure code takes ``now`` as an argument, drivers take it from here."""

from __future__ import annotations

import time
from typing import Protocol

from headrace.limits.process import CLOCK_STEP_S


class Clock(Protocol):
    """Two clocks that must not be confused."""

    def now_us(self) -> int:
        """Wall clock: microseconds since 1970-01-01 UTC. May step when the machine is synchronised."""
        ...

    def monotonic(self) -> float:
        """Seconds since an unknown start; never steps. For timeouts and intervals."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        return time.monotonic()


class WallSteps:
    """Notices that the wall clock was set: it has moved against the steady one between two looks.

    For whoever plans by it, as APScheduler does: after a step back all that is planned is as far away.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_s = self._now_ahead_s()

    def look(self) -> float:
        """The seconds by which it was set since the last look, a second or so ago; 0 where it was not."""
        before, self._ahead_s = self._ahead_s, self._now_ahead_s()
        moved = self._ahead_s - before
        return moved if abs(moved) >= CLOCK_STEP_S else 0.0

    def _now_ahead_s(self) -> float:
        return self._clock.now_us() / 1e6 - self._clock.monotonic()


class ManualClock:
    """A clock that stands still until a test moves it; both clocks move together."""

    def __init__(self, now_us: int = 1_750_000_000_000_000) -> None:
        self._now_us = now_us
        self._monotonic = 1_000.0

    def now_us(self) -> int:
        return self._now_us

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._now_us += round(seconds * 1_000_000)
        self._monotonic += seconds

    def step_wall(self, seconds: float) -> None:
        """Step the wall clock alone, as a time synchronisation does."""
        self._now_us += round(seconds * 1_000_000)
