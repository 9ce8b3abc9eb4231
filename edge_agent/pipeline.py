"""The path of a reading from an input to the broker, and how the parts on it are put together.

::

    scheduler.Runner.run             polls an input when it is due
      inputs.*.poll                  runs of readings, and the checkpoint behind them
    intake.Intake.accept             collects them per input until the loss window is over
      accumulator.Accumulator.add    appends to the series' arrays, drops what the gateway would refuse
    intake.Intake.flush              seals
      accumulator.split              into batches of at most 10,000 rows
      encode.encode                  to Arrow IPC, zstd
      buffer.store.Store.append      with counters and checkpoints in one transaction, fsynced
    uplink.driver.Uplink             wakes
      buffer.store.Store.read        what has not been sent
      buffer.coalesce.next_message   joins small batches
      uplink.machine.Machine.offer   into the window
      uplink.mqtt.MqttLink.publish   to the broker
    uplink.driver.Uplink             on the gateway's ack
      uplink.machine.Machine.acked   out of the window
      buffer.store.Store.forget      and out of the buffer
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.buffer.store import Store
from edge_agent.config import AgentConfig, UplinkSettings
from edge_agent.enrol.renewal import Renewal, attempt_from
from edge_agent.identity import ClockWatch, boot_id
from edge_agent.inputs.port import Input
from edge_agent.intake import Intake, Sealer
from edge_agent.report import Report
from edge_agent.scheduler import Runner, Scheduler
from edge_agent.uplink.driver import Uplink
from edge_agent.uplink.machine import Limits, Machine
from edge_agent.uplink.mqtt import LinkEvent, MqttLink
from headrace.clock import Clock
from headrace.errors import HeadraceError
from headrace.metrics import Metrics

if TYPE_CHECKING:
    from edge_agent.models.desk import Desk

Failed = Callable[[HeadraceError], None]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts that are started and stopped, in the order in which they start."""

    store: Store
    uplink: Uplink
    intake: Intake
    sealer: Sealer
    scheduler: Scheduler
    renewal: Renewal | None


def build(config: AgentConfig, *, clock: Clock, metrics: Metrics, failed: Failed) -> Pipeline:
    """Open the buffer and connect the parts; nothing runs yet.

    Args:
        failed: called by a part that cannot go on.

    Raises:
        HeadraceError: the buffer cannot be opened.
    """
    settings = config.settings
    boot = boot_id()
    store = Store(
        settings.buffer.path,
        device=settings.device,
        max_bytes=settings.buffer.max_bytes,
        when_full=settings.buffer.when_full,
        clock=clock,
    )
    desk = _desk(config)
    renewal = _renewal(
        settings.uplink, clock, metrics,
        lambda: uplink.reconnect("the certificate has been renewed"),
    )  # fmt: skip
    uplink = Uplink(
        store,
        Machine(store.stream, limits=_limits(settings.uplink), jitter=random.random),
        clock=clock,
        metrics=metrics,
        make_link=_link_maker(config),
        state=_report(store, boot, clock, metrics, desk, renewal).state,
        state_interval_s=settings.uplink.state_interval_s,
        broker=f"{settings.uplink.host}:{settings.uplink.port}",
        message_rows=settings.uplink.message_rows,
        failed=failed,
        models=desk,
    )
    intake = Intake(
        store,
        loss_window_s=settings.buffer.loss_window_s,
        boot=boot,
        clock=clock,
        metrics=metrics,
        sealed=uplink.wake,
    )
    runners = [
        _runner(key, source, store, intake, clock=clock, metrics=metrics, failed=failed)
        for key, source in _sources(config, desk)
    ]
    sealer = Sealer(intake, clock=clock, failed=failed)
    return Pipeline(store, uplink, intake, sealer, Scheduler(runners, clock), renewal)


def _limits(settings: UplinkSettings) -> Limits:
    return Limits(
        window_batches=settings.window_batches,
        window_bytes=settings.window_bytes,
        ack_timeout_s=settings.ack_timeout_s,
        retry_max_s=settings.retry_max_s,
    )


def _link_maker(
    config: AgentConfig,
) -> Callable[[Callable[[int, LinkEvent], None]], MqttLink]:
    settings = config.settings
    return lambda put: MqttLink(
        settings.uplink, device=settings.device, put=put, models=settings.models.enabled
    )


def _report(
    store: Store, boot: str, clock: Clock, metrics: Metrics, desk: Desk | None,
    renewal: Renewal | None,
) -> Report:  # fmt: skip
    models = None if desk is None else lambda: desk.active
    return Report(store, boot=boot, clock=clock, metrics=metrics, models=models, renewal=renewal)


def _renewal(
    settings: UplinkSettings, clock: Clock, metrics: Metrics, renewed: Callable[[], None]
) -> Renewal | None:
    """What keeps the certificate fresh, where the device has one; made before the uplink reads it."""
    if settings.cert is None:
        return None
    watch, folder = ClockWatch(clock), settings.cert.parent
    return Renewal(
        settings.cert,
        attempt=attempt_from(settings.renew_from, folder) if settings.renew_from else None,
        clock=clock,
        synced=lambda: watch.state() == "synced",
        metrics=metrics,
        renewed=renewed,
    )


def _desk(config: AgentConfig) -> Desk | None:
    """Where the models, if there are any, meet the uplink."""
    if not config.settings.models.enabled:
        return None
    # Imported here: an agent without models carries nothing of them.
    from edge_agent.models.desk import Desk

    return Desk()


def _sources(config: AgentConfig, desk: Desk | None) -> list[tuple[str, Input]]:
    """The inputs by their keys, and behind them the models, where there are any."""
    sources = [(chosen.key, chosen.build()) for chosen in config.inputs]
    settings = config.settings
    if desk is None:
        return sources
    from edge_agent.models.input import with_models

    return with_models(sources, settings.models, settings.device, desk)


def _runner(
    key: str, source: Input, store: Store, intake: Intake, *, clock: Clock, metrics: Metrics,
    failed: Failed,
) -> Runner:  # fmt: skip
    source.open(clock=clock, checkpoint=store.checkpoint(key))
    intake.add_source(key, lossless=source.lossless)
    return Runner(key, source, intake, metrics=metrics, failed=failed)
