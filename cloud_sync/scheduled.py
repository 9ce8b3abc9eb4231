"""Jobs beside the path of a batch that have a schedule: when they are due, and what a failure of one does.

A job that fails is told and counted, and runs again at its next time: it is not what the service is
for, so it does not end it. One that the service's end interrupts goes on at its next time, too. One of a kind runs
at a time: each may take hours, and its memory.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloud_sync.cron import trigger
from cloud_sync.service import Job
from headrace.clock import Clock, SystemClock
from headrace.errors import HeadraceError
from headrace.metrics import Metrics

log = logging.getLogger(__name__)

#: Does the work and says in a few words what came of it; is given what says whether it shall come to an end.
Work = Callable[[Callable[[], bool]], str]


class ScheduledJob(Job):
    """One job and when it is due; ``run`` does it when it is."""

    def __init__(
        self, name: str, schedule: str, work: Work, metrics: Metrics, *,
        turns: threading.Lock | None = None, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._stopping = threading.Event()
        super().__init__(
            name, lambda: 0, interval_s=0.0, metrics=metrics, give_up=self._stopping.set
        )
        self._trigger = trigger(schedule)
        self._work = work
        self._turns = turns or threading.Lock()
        self._clock = clock or SystemClock()
        self._due: datetime | None = None

    def run(self) -> float:
        """Do it if it is due; seconds until the next time."""
        if self._due is not None and self._now() >= self._due:
            with self._turns:
                self._do()
        now = self._now()
        # Behind now: a run that took no time must not be due again at once.
        self._due = self._trigger.get_next_fire_time(None, now + timedelta(seconds=1))
        if self._due is None:  # 30 February
            return timedelta(days=1).total_seconds()
        return max((self._due - now).total_seconds(), 0.0)

    def _do(self) -> None:
        try:
            told = self._work(self._stopping.is_set)
        except HeadraceError as error:
            self._metrics.count("failures", step=self.name)
            log.error("%s: %s", self.name, error)
            return
        log.info("%s: %s", self.name, told)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC)
