"""Polls the inputs: APScheduler decides when, a runner per input decides what a poll leads to.

An input never runs twice at once and never piles up: a poll that is late is done once, then the
rhythm goes on. The pool is bounded, so one input that hangs costs one thread and itself; inputs that are
held up on purpose (``Input.lossless``) have threads of their own beside it, or eight files that wait
for the gateway would keep the sensors from being read.

APScheduler goes by the wall clock, which a device without a clock chip sets by years when it finds a time
server. A step forward is one late poll, not one for each that was missed (``_Rhythm``); a step back is
noticed by ``look_at_clock``, or the inputs would stand still until the old time is reached again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from edge_agent.inputs.port import Input
from edge_agent.intake import Intake
from edge_agent.readings import Poll
from headrace.clock import Clock, WallSteps
from headrace.errors import StorageCorrupt
from headrace.limits.inputs import INPUT_WORKERS
from headrace.logs import Condition
from headrace.metrics import Metrics

_log = logging.getLogger(__name__)


class Runner:
    """One input: polls it, hands what it gives to the intake, survives what it raises."""

    def __init__(
        self, key: str, source: Input, intake: Intake, *, metrics: Metrics,
        failed: Callable[[StorageCorrupt], None],
    ) -> None:  # fmt: skip
        self.key, self.source = key, source
        self.is_done = False
        self._intake, self._metrics, self._failed = intake, metrics, failed
        self._stopping = threading.Event()
        self._running = threading.Lock()
        self._works = Condition(_log, f"input {key}")

    def run(self) -> None:
        """Poll until there is nothing more at once."""
        with self._running:
            while not self._stopping.is_set() and not self.is_done:
                poll = self._poll()
                if poll is None or not self._hand_on(poll) or not poll.more:
                    return

    def _poll(self) -> Poll | None:
        try:
            poll = self.source.poll()
        except Exception as error:  # noqa: BLE001  (the one supervisor: a plugin may raise anything)
            self._works.bad(f"{type(error).__name__}: {error}")
            self._metrics.count("input_failures", input=self.key)
            return None
        self._works.good()
        return poll

    def _hand_on(self, poll: Poll) -> bool:
        try:
            taken = self._intake.accept(self.key, poll, stopping=self._stopping)
        except StorageCorrupt as error:
            self._failed(error)
            return False
        if taken and poll.done:
            _log.info("input %s has ended", self.key)
            self.is_done = True
        return taken

    def stop(self) -> None:
        """No more polls; returns when the running one is over."""
        self._stopping.set()
        self.source.interrupt()
        with self._running:
            self.source.close()


class _Rhythm(BaseTrigger):  # type: ignore[misc]
    """Every so many seconds; what was missed is left out.

    APScheduler's own interval lists every time that was missed before it takes the last of them: for a
    clock that steps from 1970 to today that is more than there is memory.
    """

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        if previous is None:
            return now
        missed = max(0, (now - previous) // self._interval)
        return previous + (missed + 1) * self._interval


class Scheduler:
    """Runs every runner at its input's interval."""

    def __init__(self, runners: Sequence[Runner], clock: Clock) -> None:
        self._runners, self._steps = runners, WallSteps(clock)
        held_up = sum(runner.source.lossless for runner in runners)
        live = min(INPUT_WORKERS, len(runners) - held_up)
        pool = ThreadPoolExecutor(max(1, live + held_up))
        self._scheduler = BackgroundScheduler(executors={"default": pool}, timezone=UTC)

    def start(self) -> None:
        """The first polls happen at once."""
        for runner in self._runners:
            self._scheduler.add_job(
                runner.run, _Rhythm(runner.source.interval_s), name=runner.key,
                max_instances=1, coalesce=True, misfire_grace_time=None,
                next_run_time=datetime.now(UTC),
            )  # fmt: skip
        self._scheduler.start()

    def look_at_clock(self) -> None:
        """Poll now, and from now on, where the wall clock was set; to be called every second or so."""
        moved_s = self._steps.look()
        if not moved_s:
            return
        _log.info("the clock was set by %+.0f s", moved_s)
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Returns when no input runs any more."""
        for runner in self._runners:
            runner.stop()
        self._scheduler.shutdown(wait=True)

    @property
    def is_done(self) -> bool:
        """Whether every input has ended by itself."""
        return all(runner.is_done for runner in self._runners)
