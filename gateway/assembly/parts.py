"""All parts of one gateway, made in the order in which they need one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.assembly.common import Common
from gateway.assembly.consumers import make_consumers, make_models, make_vitals
from gateway.assembly.path import make_journal, make_pipeline
from gateway.assembly.ways_in import make_broker, make_http_ingest, make_sources
from gateway.broker.port import Broker
from gateway.config import GatewayConfig
from gateway.enrolment import RunningPki, make_pki
from gateway.feed import Feed
from gateway.ingest.inbox import Inbox
from gateway.ingest.limits import Limits
from gateway.journal import JournalWriter
from gateway.journal.retention import Retention
from gateway.live import Live, LiveWorker
from gateway.runner import ConsumerRunner
from gateway.sources.port import Source as WayIn
from gateway.status import Status
from gateway.tracing.choose import make_trace
from gateway.worker import IngestWorker
from headrace.clock import Clock, SystemClock
from headrace.metrics import Metrics

if TYPE_CHECKING:
    from gateway.listener import Listener
    from gateway.models.assembly import Models


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of one gateway, connected and not started."""

    common: Common
    pki: RunningPki | None
    broker: Broker
    sources: dict[str, WayIn]
    journal: JournalWriter
    retention: Retention
    ingest: IngestWorker
    models: Models | None
    runners: list[ConsumerRunner]
    live_worker: LiveWorker
    status: Status
    http_ingest: Listener | None


def assemble(config: GatewayConfig, clock: Clock | None = None) -> Parts:
    """Make all parts.

    Raises:
        HeadraceError: the journal cannot be opened, or a model cannot be loaded.
    """
    clock = clock or SystemClock()
    feed = Feed(config.journal_path)
    limits = Limits(config.limits)
    common = Common(
        config,
        clock,
        Metrics("gateway"),
        Live(),
        limits,
        Inbox(limits, clock.monotonic),
        feed,
        make_trace(config.tracing, config.site, config.data_dir),
    )
    pki = make_pki(config, clock, common.metrics)
    broker = make_broker(common, pki)
    retention = Retention(max_bytes=config.journal.max_bytes, hold_for=config.journal.hold_for)
    journal = make_journal(common, retention)
    feed.start_at(journal.head)
    ingest = IngestWorker(common.inbox, make_pipeline(common, journal, broker), journal)
    models = make_models(common, broker)
    consumers = make_consumers(common)
    if models is not None:
        consumers.append(models.consumer)
    runners = [common.runner(consumer) for consumer in consumers]
    status = make_status(common, broker, ingest, runners, journal)
    if config.vitals.enabled:
        # It looks at all the others, so it is made behind them.
        runners.append(common.runner(make_vitals(common, config, status)))
    return Parts(
        common=common,
        pki=pki,
        broker=broker,
        sources=make_sources(common),
        journal=journal,
        retention=retention,
        ingest=ingest,
        models=models,
        runners=runners,
        live_worker=LiveWorker(common.live, feed),
        status=status,
        http_ingest=make_http_ingest(common, ingest, journal, pki),
    )


def make_status(
    common: Common,
    broker: Broker,
    ingest: IngestWorker,
    runners: list[ConsumerRunner],
    journal: JournalWriter,
) -> Status:
    """What knows how the gateway itself is doing."""
    return Status(
        site=common.config.site,
        broker=broker,
        ingest=ingest,
        runners=runners,
        seen=journal.seen,
        head=lambda: common.feed.head,
        metrics=common.metrics,
        journal=journal.path,
    )
