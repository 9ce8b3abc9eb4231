"""The clock port: pure code takes ``now`` as an argument, drivers take it from here."""

from __future__ import annotations

import time
from typing import Protocol


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
