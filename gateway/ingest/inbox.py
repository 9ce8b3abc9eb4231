"""What waits for the next group commit: messages of devices, and results of consumers.

One bounded queue between many producers and the one thread that writes the journal. While a commit
is being fsynced the next one gathers here: the busier the site, the larger the groups.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.consumer import Outcome
from gateway.ingest.arrival import Arrival
from headrace.limits import (
    ARRIVALS_MAX_BATCHES,
    ARRIVALS_MAX_BYTES,
    COMMIT_MAX_BATCHES,
    COMMIT_MAX_BYTES,
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
    """One group: what the next transaction takes."""

    arrivals: list[Arrival]
    submissions: list[Submission]

    def __bool__(self) -> bool:
        return bool(self.arrivals or self.submissions)


class Inbox:
    """Bounded by count and bytes of arrivals; submissions are bounded by the number of consumers."""

    def __init__(self) -> None:
        self._arrivals: deque[Arrival] = deque()
        self._bytes = 0
        self._submissions: list[Submission] = []
        self._lazy: dict[str, Submission] = {}
        self._closed = False
        self._changed = threading.Condition(threading.RLock())

    @property
    def has_room(self) -> bool:
        """Whether another arrival may come; False after ``close``, when nothing is taken any more."""
        return self._closed or (
            len(self._arrivals) < ARRIVALS_MAX_BATCHES and self._bytes < ARRIVALS_MAX_BYTES
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits but bare moves of cursors."""
        return not self._arrivals and not self._submissions

    def put(self, arrivals: Sequence[Arrival]) -> None:
        """Add arrivals; the caller has seen to ``has_room``. Dropped, unacknowledged, when closed."""
        with self._changed:
            if not self._closed:
                self._arrivals.extend(arrivals)
                self._bytes += sum(len(arrival.payload) for arrival in arrivals)
                self._changed.notify_all()

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
            if not self._arrivals and not self._submissions:
                self._changed.wait(timeout_s)
            arrivals: list[Arrival] = []
            size = 0
            while self._arrivals and len(arrivals) < COMMIT_MAX_BATCHES and size < COMMIT_MAX_BYTES:
                arrivals.append(self._arrivals.popleft())
                size += len(arrivals[-1].payload)
            self._bytes -= size
            self._changed.notify_all()
            return Work(arrivals, self.take_submissions())

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
