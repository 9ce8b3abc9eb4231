"""A job's pauses, what it says, and what stops the service."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from cloud_sync.service import Job
from headrace.errors import (
    HeadraceError,
    LakeError,
    LakeUnavailable,
    StorageCorrupt,
    StorageFull,
)
from headrace.limits.agent import RETRY_MAX_S
from headrace.metrics import Metrics


def job(step: Callable[[], int], metrics: Metrics | None = None) -> Job:
    metrics = metrics or Metrics("cloud_sync")
    return Job("landing", step, interval_s=7.0, metrics=metrics, chance=lambda: 1.0)


def failing(errors: list[HeadraceError]) -> Callable[[], int]:
    def step() -> int:
        if errors:
            raise errors.pop(0)
        return 3

    return step


def test_a_step_that_works_is_due_after_the_interval() -> None:
    """The interval of the configuration."""
    assert job(lambda: 0).run() == 7.0


def test_pauses_grow_up_to_the_bound_and_start_small_again() -> None:
    """An outage is asked about ever more seldom, but never less than once a minute."""
    outage: list[HeadraceError] = [LakeUnavailable("away") for _ in range(9)]
    tried = job(failing(outage))
    pauses = [tried.run() for _ in range(9)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 1.0
    assert pauses[-1] == RETRY_MAX_S
    assert tried.run() == 7.0
    outage.append(StorageFull("full"))
    assert tried.run() == 1.0


def test_an_outage_is_said_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    """A night without a lake must not fill the log; each failure is counted."""
    caplog.set_level(logging.INFO)
    metrics = Metrics("cloud_sync")
    tried = job(failing([LakeUnavailable("away") for _ in range(5)]), metrics)
    for _ in range(6):
        tried.run()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "landing: away; trying again until it works",
        "landing: works again after 5 failures",
        "landing: 3 readings",
    ]
    assert metrics.value("failures", step="landing") == 5


def test_what_does_not_heal_is_not_retried() -> None:
    """A damaged journal stays damaged: the service ends, visibly."""
    with pytest.raises(StorageCorrupt):
        job(failing([StorageCorrupt("damaged")])).run()


def test_what_the_lake_refuses_is_tried_again_with_keys_read_anew() -> None:
    """Somebody renews an expired key; until then the other job goes on."""
    opened: list[str] = []
    tried = Job(
        "landing", failing([LakeError("expired"), LakeError("expired")]), interval_s=7.0,
        metrics=Metrics("cloud_sync"), reopen=lambda: opened.append("again"),
    )  # fmt: skip
    assert [tried.run() for _ in range(3)] == [RETRY_MAX_S, RETRY_MAX_S, 7.0]
    assert opened == ["again", "again"]
