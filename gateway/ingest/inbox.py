"""What waits for the next group commit: messages of devices, and results of consumers.

One bounded queue between many producers and the one thread that writes the journal. While a commit
is being fsynced the next one gathers here: the busier the site, the larger the groups.

In the ordinary case all that has come fits into one group, and nobody has to be put before or behind
anybody. When it does not, or when a device is over its limit (``limits``), messages are sorted into
a line per device and taken in turns (``fair``): who sends little waits one turn of each that sends
much, not for all that they have sent.

A device that is held fills its own line up to a bound. What comes beyond it, or of a kind that must not
wait (``Arrival.may_wait``), is handed out as ``Work.over_limit``, for the pipeline to refuse.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gateway.consumer import Outcome
from gateway.ingest.arrival import Arrival
from gateway.ingest.fair import FairQueue
from gateway.ingest.limits import Limits
from headrace.limits.ingest import (
    ARRIVALS_MAX_BATCHES,
    ARRIVALS_MAX_BYTES,
    COMMIT_MAX_BATCHES,
    COMMIT_MAX_BYTES,
    DEVICE_WAITING_BATCHES,
    DEVICE_WAITING_BYTES,
    WAITING_BATCHES,
    WAITING_BYTES,
)


@dataclass(slots=True, eq=False)
class Submission:
    """A consumer's outcome and the offset that it has reached, to be committed together."""

    consumer: str
    offset: int
    required: bool
    outcome: Outcome
    committed: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Work:
    """One group: what the next transaction takes, and what is refused because of a device's limit."""

    arrivals: list[Arrival]
    submissions: list[Submission]
    over_limit: list[Arrival] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.arrivals or self.submissions or self.over_limit)


class Inbox:
    """Bounded by count and bytes of arrivals; submissions are bounded by the number of consumers.

    Args:
        limits: which devices are held.
        monotonic: the clock that ``limits`` goes by.
    """

    def __init__(
        self, limits: Limits | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits or Limits()
        self._monotonic = monotonic
        self._fresh: deque[Arrival] = deque()
        self._lines = FairQueue()
        self._over_limit: list[Arrival] = []
        self._count = 0
        self._bytes = 0
        self._submissions: list[Submission] = []
        self._lazy: dict[str, Submission] = {}
        self._closed = False
        self._changed = threading.Condition(threading.RLock())

    @property
    def has_room(self) -> bool:
        """Whether another arrival may come; False after ``close``, when nothing is taken any more."""
        return self._closed or (
            self._count < ARRIVALS_MAX_BATCHES and self._bytes < ARRIVALS_MAX_BYTES
        )

    def has_room_for(self, device: str) -> bool:
        """The same for a device that may be over its limit."""
        if device not in self._limits.held:
            return self.has_room
        with self._changed:
            return self.has_room and (self._closed or self._may_wait(device))

    def held_s(self, device: str) -> float:
        """Seconds until a device that is over its limit goes on; 0 for any other."""
        until = self._limits.held.get(device)
        return 0.0 if until is None else max(0.0, until - self._monotonic())

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits but bare moves of cursors, and devices that are over their limit."""
        with self._changed:
            return not self._is_ready()

    def put(self, arrivals: Sequence[Arrival]) -> None:
        """Add arrivals; the caller has seen to ``has_room``. Dropped, unacknowledged, when closed."""
        with self._changed:
            if self._closed:
                return
            self._count += len(arrivals)
            self._bytes += sum([len(arrival.payload) for arrival in arrivals])
            if self._limits.held:
                self._sort(arrivals)
            else:
                self._fresh.extend(arrivals)
            self._changed.notify_all()

    def _sort(self, arrivals: Iterable[Arrival]) -> None:
        """Into the lines of their devices, behind what came before."""
        self._lines.add(self._fresh)
        self._fresh.clear()
        held = self._limits.held
        for arrival in arrivals:
            if arrival.device in held and not (arrival.may_wait and self._may_wait(arrival.device)):
                self._over_limit.append(arrival)
            else:
                self._lines.add((arrival,))

    def _may_wait(self, device: str) -> bool:
        """Whether one message more of a held device may wait here."""
        if self._count > WAITING_BATCHES or self._bytes > WAITING_BYTES:
            return False
        line = self._lines.line(device)
        return line is None or (
            len(line.arrivals) < DEVICE_WAITING_BATCHES and line.bytes < DEVICE_WAITING_BYTES
        )

    def wait_for_room(self) -> None:
        """Block while another arrival would be too much."""
        with self._changed:
            self._changed.wait_for(lambda: self.has_room)

    def submit(self, submission: Submission) -> None:
        """Add a consumer's outcome; it waits for ``submission.committed``.

        A bare move of a cursor is not worth an fsync of its own: it goes along with the next commit,
        or with the next idle moment.
        """
        outcome = submission.outcome
        with self._changed:
            if outcome.derived or outcome.state or outcome.rejected:
                self._lazy.pop(submission.consumer, None)
                self._submissions.append(submission)
                self._changed.notify_all()
            else:
                self._lazy[submission.consumer] = submission
                submission.committed.set()

    def take(self, timeout_s: float) -> Work:
        """The next group, empty when nothing came within ``timeout_s`` and no cursor has moved."""
        with self._changed:
            self._limits.release(self._monotonic())
            if not self._is_ready():
                self._changed.wait(min(timeout_s, self._next_release_s()))
                self._limits.release(self._monotonic())
            arrivals = self._take_arrivals()
            over_limit, self._over_limit = self._over_limit, []
            self._count -= len(arrivals) + len(over_limit)
            self._bytes -= sum([len(arrival.payload) for arrival in arrivals])
            self._bytes -= sum([len(arrival.payload) for arrival in over_limit])
            self._changed.notify_all()
            return Work(arrivals, self.take_submissions(), over_limit)

    def _is_ready(self) -> bool:
        return bool(
            self._fresh
            or self._submissions
            or self._over_limit
            or self._lines.may_take(self._limits.held)
        )

    def _next_release_s(self) -> float:
        """Until the first device that is held and has something here may go on."""
        waiting = [until for device, until in self._limits.held.items() if self._lines.line(device)]
        return max(0.0, min(waiting) - self._monotonic()) if waiting else float("inf")

    def _take_arrivals(self) -> list[Arrival]:
        if (
            not self._lines
            and not self._limits.held
            and len(self._fresh) <= COMMIT_MAX_BATCHES
            and self._bytes <= COMMIT_MAX_BYTES
        ):
            arrivals = list(self._fresh)
            self._fresh.clear()
            return arrivals
        self._lines.add(self._fresh)
        self._fresh.clear()
        return self._lines.take(
            max_batches=COMMIT_MAX_BATCHES, max_bytes=COMMIT_MAX_BYTES, held=self._limits.held
        )

    def take_submissions(self) -> list[Submission]:
        """Results of consumers alone."""
        with self._changed:
            submissions = [*self._submissions, *self._lazy.values()]
            self._submissions, self._lazy = [], {}
        return submissions

    def close(self) -> None:
        """Take no more arrivals and wake everyone who waits for room."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
