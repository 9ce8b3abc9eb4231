"""Compute jobs that ``cloud-sync run`` runs by itself, when their schedules say so."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cloud_sync.compute import jobs
from cloud_sync.compute.jobs import Job
from cloud_sync.config import CloudSync
from cloud_sync.scheduled import ScheduledJob, Work
from headrace.metrics import Metrics


def scheduled(config: CloudSync, source: str, metrics: Metrics) -> list[ScheduledJob]:
    """The jobs of a configuration that have a schedule.

    Raises:
        ConfigError: with every fault.
    """
    turns = threading.Lock()
    return [
        ScheduledJob(
            f"compute {job.name}", job.settings.schedule, _work(config, job, metrics), metrics,
            turns=turns,
        )
        for job in jobs.read(config.compute, source)
        if job.settings.schedule
    ]  # fmt: skip


def _work(config: CloudSync, job: Job, metrics: Metrics) -> Work:
    def work(should_stop: Callable[[], bool]) -> str:
        # Ibis and an engine take a second to import: not for a service that computes nothing.
        from cloud_sync.compute.run import ComputeRun

        done = ComputeRun(config, job, metrics, should_stop=should_stop).run()
        return "; ".join(map(str, done))

    return work
