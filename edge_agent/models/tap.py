"""Shows the readings of an input to the models, on their way to the buffer.

What models have not seen yet is bounded; the oldest go, because a score of what was an hour ago helps
nobody. The readings themselves are untouched by this.
"""

from __future__ import annotations

import threading
from collections import deque

from edge_agent.inputs.port import Input
from edge_agent.readings import Poll, Run
from headrace.clock import Clock
from headrace.limits.edge_models import MODELS_TAP_POLLS, MODELS_TAP_SERIES


class Seen:
    """Runs that wait for the models, and the series that there are; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[list[Run]] = deque(maxlen=MODELS_TAP_POLLS)
        self._units: dict[str, str] = {}

    def add(self, poll: Poll) -> None:
        with self._lock:
            self._waiting.append(poll.runs)
            for run in poll.runs:
                if run.name in self._units or len(self._units) < MODELS_TAP_SERIES:
                    self._units[run.name] = run.unit

    def take(self) -> list[Run]:
        """What came since the last time."""
        with self._lock:
            runs = [run for polled in self._waiting for run in polled]
            self._waiting.clear()
        return runs

    def series(self) -> dict[str, str]:
        """Name → unit of everything that was measured so far."""
        with self._lock:
            return dict(self._units)


class Tapped(Input):
    """An input whose readings the models see too."""

    def __init__(self, source: Input, seen: Seen) -> None:
        self._source = source
        self._seen = seen
        self.interval_s = source.interval_s
        self.lossless = source.lossless

    def open(self, *, clock: Clock, checkpoint: str | None) -> None:
        self._source.open(clock=clock, checkpoint=checkpoint)
        # Some inputs learn their rhythm when they open what they read.
        self.interval_s = self._source.interval_s

    def poll(self) -> Poll:
        poll = self._source.poll()
        self._seen.add(poll)
        return poll

    def interrupt(self) -> None:
        self._source.interrupt()

    def close(self) -> None:
        self._source.close()
