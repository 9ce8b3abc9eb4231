"""The jobs beside the path of a batch, as the configuration names them: what the service runs with lower priority."""

from __future__ import annotations

from cloud_sync.catalog.keeper import SeriesKeeper
from cloud_sync.compute import schedule as compute
from cloud_sync.config import DEFAULT_FILE, CloudSync
from cloud_sync.imports import schedule as imports
from cloud_sync.lake.latest import LatestKeeper
from cloud_sync.maintain.maintainer import Maintainer
from cloud_sync.quality.keeper import QualityKeeper
from cloud_sync.raw.keeper import Keeper
from cloud_sync.service import Job
from headrace.clock import SystemClock
from headrace.lake.opening import open_store
from headrace.limits.lake import LATEST_INTERVAL_S
from headrace.metrics import Metrics


def beside(config: CloudSync, metrics: Metrics) -> list[Job]:
    """The jobs that are on."""
    jobs: list[Job] = []
    if config.maintain.enabled and config.register.enabled:
        jobs.append(_maintaining(config, metrics))
    if config.register.enabled:
        jobs += [_newest(config, metrics), _counting(config, metrics)]
    if config.quality.enabled and config.register.enabled:
        jobs.append(_judging(config, metrics))
    jobs.append(_keeping(config, metrics))
    jobs += imports.scheduled(config, DEFAULT_FILE, metrics)
    return [*jobs, *compute.scheduled(config, DEFAULT_FILE, metrics)]


def _newest(config: CloudSync, metrics: Metrics) -> Job:
    keeper = LatestKeeper(config.lake)
    return Job(
        "newest readings", keeper.step, interval_s=LATEST_INTERVAL_S, metrics=metrics,
        reopen=keeper.reopen,
    )  # fmt: skip


def _counting(config: CloudSync, metrics: Metrics) -> Job:
    keeper = SeriesKeeper(config, SystemClock())
    return Job(
        "series", keeper.step, interval_s=config.catalog.interval_s, metrics=metrics,
        reopen=keeper.reopen,
    )  # fmt: skip


def _keeping(config: CloudSync, metrics: Metrics) -> Job:
    """Also where it is off: then it lets go of the journal."""
    keeper = Keeper(config, open_store(config.lake), metrics)
    return Job(
        "keeping payloads", keeper.step, interval_s=config.raw.interval_s, metrics=metrics,
        reopen=keeper.reopen,
    )  # fmt: skip


def _judging(config: CloudSync, metrics: Metrics) -> Job:
    keeper = QualityKeeper(config, SystemClock(), metrics)
    return Job(
        "judging quality", keeper.step, interval_s=config.quality.interval_s, metrics=metrics,
        reopen=keeper.reopen, give_up=keeper.stop,
    )  # fmt: skip


def _maintaining(config: CloudSync, metrics: Metrics) -> Job:
    maintainer = Maintainer(config, open_store(config.lake), SystemClock(), metrics)
    return Job(
        "maintaining", maintainer.step, interval_s=config.maintain.interval_s, metrics=metrics,
        reopen=maintainer.reopen, give_up=maintainer.stop,
    )  # fmt: skip
