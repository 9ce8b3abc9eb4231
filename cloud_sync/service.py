"""The jobs on a schedule, outages, and a clean end.

Landing and registering run on threads of their own, so that a catalogue that is away does not hold
up landing. Each job plans its next run when it ends: after the interval when it worked, after a
growing pause with jitter when it did not.

A failure that does not heal stops the service, visibly; with one exception: what store or catalogue refuse
(an expired key, a table that was dropped) may be mended from outside, and must not stop the other job.
Such a step is said as an error and tried again once a minute, with keys read anew.

Jobs **beside** the path of a batch (maintenance) have threads and a lower priority of their own, and no part
in the last pass: they are told to give up.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from cloud_sync.config import CloudSync
from cloud_sync.pipeline import Pipeline
from headrace.clock import SystemClock, WallSteps
from headrace.errors import HeadraceError, LakeError
from headrace.limits.agent import RETRY_FIRST_S, RETRY_MAX_S
from headrace.limits.process import BESIDE_DELAY_S, BESIDE_NICE
from headrace.logs import Condition
from headrace.metrics import Metrics

log = logging.getLogger(__name__)

#: The pool of threads of the jobs beside the path.
_BESIDE: Final = "beside"


class Job:
    """One step of the service and when it is due again."""

    def __init__(
        self, name: str, step: Callable[[], int], *, interval_s: float, metrics: Metrics,
        reopen: Callable[[], None] = lambda: None, chance: Callable[[], float] = random.random,
        give_up: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.give_up = give_up
        self._reopen = reopen
        self._step = step
        self.interval_s = interval_s
        self._metrics = metrics
        self._chance = chance
        self._condition = Condition(log, name)
        self._is_refused = False

    @property
    def has_failed(self) -> bool:
        """Whether it did not work the last time."""
        return self._condition.is_bad

    def run(self) -> float:
        """Do the step; seconds until the next.

        Raises:
            HeadraceError: one that does not heal.
        """
        try:
            if self._is_refused:  # now, not when it was refused: keys are renewed in between
                self._reopen()
            self._is_refused = False
            rows = self._step()
        except HeadraceError as error:
            self._metrics.count("failures", step=self.name)
            if self._is_refused or (isinstance(error, LakeError) and not error.retryable):
                return self._refused(error)
            if not error.retryable:
                raise
            self._condition.bad(error)
            return self._pause()
        self._condition.good()
        if rows:
            log.info("%s: %d readings", self.name, rows)
        return self.interval_s

    def _refused(self, error: HeadraceError) -> float:
        self._condition.bad(error, logging.ERROR)
        self._is_refused = True
        return RETRY_MAX_S

    def _pause(self) -> float:
        longest: float = min(RETRY_MAX_S, RETRY_FIRST_S * 2.0 ** min(self._condition.failures, 10))
        return longest * (0.5 + self._chance() / 2)


class Service:
    """Runs the jobs until it is told to stop."""

    def __init__(
        self, config: CloudSync, pipeline: Pipeline, metrics: Metrics, beside: Sequence[Job] = ()
    ) -> None:
        self._stop = threading.Event()
        self._asked_to_stop = False
        self._failed = False
        self._scheduler = BackgroundScheduler(
            executors={
                "default": ThreadPoolExecutor(2),
                _BESIDE: ThreadPoolExecutor(max(1, len(beside))),
            },
            job_defaults={"misfire_grace_time": None},
            timezone=UTC,
        )
        # Where a registrar elsewhere has the table, the second job asks it instead.
        second = (
            ("registering", pipeline.register)
            if config.register.enabled
            else ("asking", pipeline.ask)
        )
        jobs = (("landing", pipeline.land, config.landing), (*second, config.register))
        self._jobs = [
            Job(name, step, interval_s=part.interval_s, metrics=metrics, reopen=pipeline.reopen)
            for name, step, part in jobs
            if part.enabled or name == "asking"
        ]
        self._beside = beside
        self._steps = WallSteps(SystemClock())

    def stop(self) -> None:
        """End after the steps that are running and one last pass; callable from a signal handler.

        A flag and not the event: the handler runs in the thread that waits for the event, and setting
        it there waits for ever where the signal comes while that thread holds the event's lock.
        """
        self._asked_to_stop = True

    def run(self) -> int:
        """Run until stopped; the exit status."""
        for job in self._jobs:
            self._plan(job, 0.0)
        for job in self._beside:
            self._plan(job, min(job.interval_s, BESIDE_DELAY_S))
        self._scheduler.start()
        # With a timeout, so that the main thread wakes for signals on every platform.
        while not (self._asked_to_stop or self._stop.wait(0.2)):
            self._look_at_clock()
        self._stop.set()
        for job in self._beside:
            if job.give_up is not None:
                job.give_up()
        self._scheduler.shutdown(wait=True)
        if self._failed:
            return 1
        log.info("stopping: one last pass")
        for job in self._jobs:
            self._supervise(job)
        return 1 if self._failed else 0

    def _look_at_clock(self) -> None:
        """Run what is planned where the wall clock was set back: it would wait until the old time comes again."""
        if self._steps.look() < 0:
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))

    def _plan(self, job: Job, delay_s: float) -> None:
        due = datetime.now(UTC) + timedelta(seconds=delay_s)
        pool = _BESIDE if job in self._beside else "default"
        self._scheduler.add_job(self._run_and_plan, "date", run_date=due, args=[job], executor=pool)

    def _run_and_plan(self, job: Job) -> None:
        if job in self._beside:
            _yield_to_others()
        delay_s = self._supervise(job)
        if delay_s is not None and not self._stop.is_set():
            self._plan(job, delay_s)

    def _supervise(self, job: Job) -> float | None:
        """The one supervisor: what no job expects ends the service instead of a thread."""
        try:
            return job.run()
        except HeadraceError as error:
            log.error("%s: %s", job.name, error)
        except Exception:
            log.exception("%s: unexpected failure", job.name)
        self._failed = True
        self._stop.set()
        return None


def _yield_to_others() -> None:
    """Let this thread have what CPU the others leave; where threads have no priority (not Linux), nothing."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BESIDE_NICE)
