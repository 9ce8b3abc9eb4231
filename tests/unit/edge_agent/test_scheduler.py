"""When inputs are polled: whatever the wall clock does, and whoever else waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.buffer.store import Store
from edge_agent.inputs.port import Input
from edge_agent.intake import Intake
from edge_agent.readings import Poll, single
from edge_agent.scheduler import Runner, Scheduler, _Rhythm
from headrace.clock import ManualClock
from headrace.limits.inputs import INPUT_WORKERS
from headrace.limits.sizes import MIB
from headrace.metrics import Metrics
from tests.servers import wait_until


class Counting(Input):
    """Counts its polls; with ``gate`` it stays in one until the test says go, as an input that is held up."""

    interval_s = 0.01

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.polls, self.gate, self.lossless = 0, gate, gate is not None

    def poll(self) -> Poll:
        self.polls += 1
        if self.gate is not None:
            self.gate.wait()
        return Poll([single("a", self.polls, 1.0)])

    def interrupt(self) -> None:
        if self.gate is not None:
            self.gate.set()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@contextmanager
def scheduled(folder: Path, clock: ManualClock, *inputs: Counting) -> Iterator[Scheduler]:
    """A scheduler at work on a real buffer."""
    metrics = Metrics("agent")
    with closing(Store(folder / "buffer.db", device="d", max_bytes=MIB, clock=clock)) as store:
        intake = Intake(
            store, loss_window_s=1.0, boot="boot", clock=clock, metrics=metrics, sealed=lambda: None
        )
        runners = []
        for number, source in enumerate(inputs):
            source.open(clock=clock, checkpoint=None)
            intake.add_source(str(number), lossless=False)
            runners.append(Runner(str(number), source, intake, metrics=metrics, failed=print))
        scheduler = Scheduler(runners, clock)
        scheduler.start()
        try:
            yield scheduler
        finally:
            scheduler.stop()


def polls_on(source: Counting) -> None:
    """It is polled, and again."""
    seen = source.polls
    wait_until(lambda: source.polls > seen + 1, 30, "two more polls")


def due_at(scheduler: Scheduler, when: datetime) -> None:
    """What a step of the clock does: the next poll is far away, in the past or in the future."""
    for job in scheduler._scheduler.get_jobs():
        job.modify(next_run_time=when)


def test_a_clock_that_is_set_forward_by_years_costs_one_poll(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A Pi that was switched off for long starts in the past; each missed poll used to be listed first."""
    source = Counting()
    with scheduled(tmp_path, clock, source) as scheduler:
        polls_on(source)
        due_at(scheduler, datetime(1970, 1, 1, tzinfo=UTC))
        polls_on(source)


def test_a_clock_that_is_set_back_stops_no_input(tmp_path: Path, clock: ManualClock) -> None:
    """The scheduler would wait until the time is again what it was."""
    source = Counting()
    with scheduled(tmp_path, clock, source) as scheduler:
        polls_on(source)
        due_at(scheduler, datetime.now(UTC) + timedelta(days=365))
        clock.step_wall(-365 * 86_400)
        scheduler.look_at_clock()
        polls_on(source)


def test_a_clock_that_is_adjusted_gently_changes_no_rhythm(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Half a millisecond a second for hours is no step, however much it comes to."""
    with scheduled(tmp_path, clock) as scheduler:
        scheduler._scheduler.add_job(print, _Rhythm(3_600), next_run_time=None, id="far")
        for _ in range(10_000):
            clock.advance(0.5)
            clock.step_wall(0.000_25)
            scheduler.look_at_clock()
        (job,) = scheduler._scheduler.get_jobs()
        assert job.next_run_time is None


def test_inputs_that_are_held_up_take_no_thread_from_the_others(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Files that wait for the gateway are not to keep a sensor from being read."""
    files = [Counting(threading.Event()) for _ in range(INPUT_WORKERS)]
    sensor = Counting()
    with scheduled(tmp_path, clock, *files, sensor):
        wait_until(lambda: all(each.polls for each in files), 30, "every file waits")
        polls_on(sensor)


def test_a_rhythm_leaves_out_what_was_missed() -> None:
    """A poll that is late is done once, then the rhythm goes on."""
    rhythm, start = _Rhythm(0.5), datetime(2026, 1, 1, tzinfo=UTC)
    assert rhythm.get_next_fire_time(None, start) == start
    late = start + timedelta(seconds=10.2)
    assert rhythm.get_next_fire_time(start, late) == start + timedelta(seconds=10.5)
    early = start - timedelta(days=1)
    assert rhythm.get_next_fire_time(start, early) == start + timedelta(seconds=0.5)
