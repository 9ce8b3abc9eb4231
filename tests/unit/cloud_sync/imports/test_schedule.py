"""Import jobs on a schedule: when they are due, and that a failure of one ends nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cloud_sync.imports.runner import ImportRun
from cloud_sync.imports.schedule import scheduled
from cloud_sync.scheduled import ScheduledJob
from headrace.clock import ManualClock
from headrace.errors import InputError
from headrace.metrics import Metrics
from tests.imports import configured, readings
from tests.programs import Programs
from tests.servers import wait_until

NOON_US = int(datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()) * 1_000_000


def test_a_job_runs_when_its_schedule_says(tmp_path: Path) -> None:
    """Not at the start of the service, then once a time."""
    clock, done = ManualClock(NOON_US), []
    work = lambda _: done.append(clock.now_us()) or "done"  # type: ignore[func-returns-value]  # noqa: E731
    job = ScheduledJob("import history", "30 * * * *", work, Metrics("cloud_sync"), clock=clock)
    assert job.run() == 30 * 60
    clock.advance(30 * 60)
    assert (job.run(), len(done)) == (60 * 60, 1)
    clock.advance(60)
    assert (job.run(), len(done)) == (59 * 60, 1)


def test_a_job_that_fails_is_counted_and_runs_again(tmp_path: Path) -> None:
    """The service goes on; it is not what it is for."""
    clock, metrics = ManualClock(NOON_US), Metrics("cloud_sync")

    def work(_: object) -> str:
        raise InputError("away")

    job = ScheduledJob("import history", "* * * * *", work, metrics, clock=clock)
    clock.advance(job.run())
    assert job.run() == 60.0
    assert metrics.value("failures", step="import history") == 1


def test_jobs_without_a_schedule_are_left_to_people(tmp_path: Path) -> None:
    """Only those with one are the service's."""
    table = '[[imports]]\nplugin = "files"\njob = "{0}"\nsite = "s"\nschedule = "{1}"\npath = "x"\n[imports.mapping]\ndevice = "d"\n'
    config, _ = configured(tmp_path, table.format("a", "") + table.format("b", "0 3 * * *"))
    found = scheduled(config, "x", Metrics("cloud_sync"))
    assert [each.name for each in found] == ["import b"]


def test_the_service_keeps_payloads_and_ends_cleanly_with_imports_planned(tmp_path: Path) -> None:
    """As a process, with every kind of job on."""
    from tests.journals import Journal
    from tests.journals import readings as some

    journal = Journal(tmp_path / "gateway" / "journal.db")
    journal.append("pump-1", some(10))
    (tmp_path / "a.csv").write_text("time,x\n2024-01-01,1\n")
    table = f'[raw]\ndays = 7\ninterval_s = 0.5\n[[imports]]\nplugin = "files"\njob = "a"\nsite = "s"\nschedule = "0 3 * * *"\npath = "{tmp_path}/a.csv"\n[imports.mapping]\ndevice = "d"\n'
    configured(tmp_path, table)
    programs = Programs(tmp_path)
    program = programs.make("cloud_sync", (tmp_path / "cloud_sync.toml").read_text())
    try:
        program.start()
        wait_until(lambda: list((tmp_path / "lake").glob("raw/**/*.parquet")), 40, "a raw file")
        assert program.stop() == 0, program.output()
    finally:
        programs.close()
        journal.close()
    assert len(readings(tmp_path)) == 10


def test_a_job_that_is_told_to_give_up_goes_on_at_its_next_time(tmp_path: Path) -> None:
    """Between two chunks; what it has by then has landed."""
    files = tmp_path / "files"
    files.mkdir()
    for at in range(3):
        (files / f"{at}.csv").write_text(f"time,x\n2024-01-0{at + 1},1\n")
    table = f'[[imports]]\nplugin = "files"\njob = "a"\nsite = "s"\nschedule = "* * * * *"\npath = "{files}"\n[imports.mapping]\ndevice = "d"\n'
    config, found = configured(tmp_path, table)
    metrics, clock, outcomes = Metrics("cloud_sync"), ManualClock(NOON_US), []

    def work(should_stop: Callable[[], bool]) -> str:
        if not outcomes:
            assert job.give_up is not None
            job.give_up()
        else:
            should_stop = lambda: False  # noqa: E731 - the service that was started again
        outcomes.append(ImportRun(config, found[0], metrics, should_stop=should_stop).run())
        return str(outcomes[-1])

    job = ScheduledJob("import a", "* * * * *", work, metrics, clock=clock)
    for _ in range(3):
        clock.advance(job.run())
    assert [(each.readings, each.landed, each.is_complete) for each in outcomes] == [(1, 1, False), (2, 2, True)]  # fmt: skip
