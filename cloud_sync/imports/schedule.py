"""Import jobs that ``cloud-sync run`` runs by itself, when their schedules say so.

A job that fails is told and counted, and runs again at its next time: it is not what the service is
for, so it does not end it. One that the service's end interrupts goes on at its next time, too. One runs at
a time: each may take hours, and its memory.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloud_sync.config import CloudSync
from cloud_sync.imports import jobs
from cloud_sync.imports.jobs import ImportJob
from cloud_sync.imports.runner import ImportRun, Outcome
from cloud_sync.service import Job
from headrace.clock import Clock, SystemClock
from headrace.errors import HeadraceError
from headrace.metrics import Metrics

log = logging.getLogger(__name__)

Work = Callable[[Callable[[], bool]], Outcome]


class ScheduledImport(Job):
    """One job and when it is due; ``run`` does it when it is.

    ``work`` is given what says whether it shall come to an end.
    """

    def __init__(
        self, name: str, schedule: str, work: Work, metrics: Metrics, *,
        turns: threading.Lock | None = None, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._stopping = threading.Event()
        super().__init__(
            f"import {name}", lambda: 0, interval_s=0.0, metrics=metrics, give_up=self._stopping.set
        )
        self._trigger = jobs.trigger(schedule)
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
            outcome = self._work(self._stopping.is_set)
        except HeadraceError as error:
            self._metrics.count("failures", step=self.name)
            log.error("%s: %s", self.name, error)
            return
        log.info("%s: %d readings, refused %s", self.name, outcome.readings, outcome.refused or 0)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC)


def scheduled(config: CloudSync, source: str, metrics: Metrics) -> list[ScheduledImport]:
    """The jobs of a configuration that have a schedule; registering is the service's own job.

    Raises:
        ConfigError: with every fault.
    """
    turns = threading.Lock()
    return [
        ScheduledImport(job.name, job.schedule, _work(config, job, metrics), metrics, turns=turns)
        for job in jobs.read(config.imports, source)
        if job.schedule
    ]


def _work(config: CloudSync, job: ImportJob, metrics: Metrics) -> Work:
    return lambda should_stop: ImportRun(config, job, metrics, should_stop=should_stop).run()
