"""The jobs beside the path of a batch, as the configuration names them: what the service runs with lower priority."""

from __future__ import annotations

from cloud_sync.config import CloudSync
from cloud_sync.maintain.maintainer import Maintainer
from cloud_sync.service import Job
from headrace.clock import SystemClock
from headrace.lake.opening import open_store
from headrace.metrics import Metrics


def beside(config: CloudSync, metrics: Metrics) -> list[Job]:
    """The jobs that are on."""
    jobs: list[Job] = []
    if config.maintain.enabled and config.register.enabled:
        jobs.append(_maintaining(config, metrics))
    return jobs


def _maintaining(config: CloudSync, metrics: Metrics) -> Job:
    maintainer = Maintainer(config, open_store(config.lake), SystemClock(), metrics)
    return Job(
        "maintaining", maintainer.step, interval_s=config.maintain.interval_s, metrics=metrics,
        give_up=maintainer.stop,
    )  # fmt: skip
