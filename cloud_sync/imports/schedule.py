"""Import jobs that ``cloud-sync run`` runs by itself, when their schedules say so."""

from __future__ import annotations

import threading

from cloud_sync.config import CloudSync
from cloud_sync.imports import jobs
from cloud_sync.imports.jobs import ImportJob
from cloud_sync.imports.runner import ImportRun
from cloud_sync.scheduled import ScheduledJob, Work
from headrace.metrics import Metrics


def scheduled(config: CloudSync, source: str, metrics: Metrics) -> list[ScheduledJob]:
    """The jobs of a configuration that have a schedule; registering is the service's own job.

    Raises:
        ConfigError: with every fault.
    """
    turns = threading.Lock()
    return [
        ScheduledJob(f"import {job.name}", job.schedule, _work(config, job, metrics), metrics, turns=turns)
        for job in jobs.read(config.imports, source)
        if job.schedule
    ]  # fmt: skip


def _work(config: CloudSync, job: ImportJob, metrics: Metrics) -> Work:
    return lambda should_stop: str(ImportRun(config, job, metrics, should_stop=should_stop).run())
