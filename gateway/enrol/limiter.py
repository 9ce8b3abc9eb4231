"""How often somebody may guess a code; pure, time is an argument.

Only wrong codes count: a pallet of devices behind one address enrols as fast as it likes.
"""

from __future__ import annotations

from collections import deque

from headrace.limits.enrolment import (
    ENROL_MAX_SOURCES,
    ENROL_MAX_WRONG,
    ENROL_MAX_WRONG_PER_SOURCE,
    ENROL_WINDOW_S,
)


class GuessLimiter:
    """Wrong codes of the last window, per source and in all; ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self._all: deque[float] = deque(maxlen=ENROL_MAX_WRONG)
        self._sources: dict[str, deque[float]] = {}

    def wait_s(self, source: str, now: float) -> float:
        """Seconds until this source may try again; 0 for at once."""
        waits = [_wait_s(self._all, ENROL_MAX_WRONG, now)]
        if source in self._sources:
            waits.append(_wait_s(self._sources[source], ENROL_MAX_WRONG_PER_SOURCE, now))
        return max(waits)

    def wrong(self, source: str, now: float) -> None:
        """Note a wrong code."""
        self._all.append(now)
        times = self._sources.pop(source, None) or deque(maxlen=ENROL_MAX_WRONG_PER_SOURCE)
        times.append(now)
        self._sources[source] = times
        if len(self._sources) > ENROL_MAX_SOURCES:
            del self._sources[next(iter(self._sources))]


def _wait_s(times: deque[float], bound: int, now: float) -> float:
    if len(times) < bound:
        return 0.0
    return max(0.0, times[0] + ENROL_WINDOW_S - now)
