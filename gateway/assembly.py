"""Makes the parts of a gateway and connects them; starts nothing (``app`` does).

In the order in which they need one another: what is shared, the way in, the journal, everyone who
reads it, and what looks at all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateway.acks import AckAfterJournal, AckAfterLake, forget_acks
from gateway.broker.embedded import EmbeddedBroker, password_guard
from gateway.broker.external import ExternalBroker
from gateway.broker.port import Broker
from gateway.broker.reception import Reception
from gateway.config import GatewayConfig, build_sinks, build_sources
from gateway.consumer import Consumer
from gateway.enrolment import RunningPki, make_pki
from gateway.feed import Feed
from gateway.inference.consumer import thresholds
from gateway.ingest.group import GroupReader
from gateway.ingest.inbox import Inbox
from gateway.ingest.limits import Limits
from gateway.journal import JournalWriter
from gateway.live import Live, LiveWorker
from gateway.models.config import fixed_names, judged_relatively
from gateway.pipeline import Pipeline
from gateway.retention import Retention
from gateway.rules import resolve
from gateway.runner import ConsumerRunner
from gateway.sources.port import Source as WayIn
from gateway.sources.port import SourceContext
from gateway.status import Status
from gateway.tracing.choose import make_trace
from gateway.tracing.port import Trace
from gateway.vitals.consumer import VitalsConsumer
from gateway.vitals.source import Source
from gateway.worker import IngestWorker
from headrace.clock import Clock, SystemClock
from headrace.metrics import Metrics
from headrace.plugins import Plugin
from headrace.topics import Topics

if TYPE_CHECKING:
    from gateway.listener import Listener
    from gateway.models.assembly import Models

#: Consumers inside this process beside the sinks, by the names of their cursors.
CONSUMERS: Final = frozenset({"inference", "models", "rules", "notify", "schema", "vitals"})


@dataclass(frozen=True, slots=True)
class Common:
    """What many parts share."""

    config: GatewayConfig
    clock: Clock
    metrics: Metrics
    live: Live
    limits: Limits
    inbox: Inbox
    feed: Feed
    trace: Trace

    def runner(self, consumer: Consumer) -> ConsumerRunner:
        """The thread of one consumer."""
        return ConsumerRunner(consumer, self.feed, self.inbox, self.clock, self.metrics, self.trace)


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of one gateway, connected and not started."""

    common: Common
    pki: RunningPki | None
    broker: Broker
    sources: list[WayIn]
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
        make_trace(config.tracing, config.site),
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
        runners.append(common.runner(make_vitals(common, status)))
    return Parts(
        common=common,
        pki=pki,
        broker=broker,
        sources=list(make_sources(common)),
        journal=journal,
        retention=retention,
        ingest=ingest,
        models=models,
        runners=runners,
        live_worker=LiveWorker(common.live, feed),
        status=status,
        http_ingest=make_http_ingest(common, ingest, journal, pki),
    )


def make_broker(common: Common, pki: RunningPki | None) -> Broker:
    """The broker inside this process, or the connection to one elsewhere."""
    broker = common.config.broker
    reception = Reception(
        Topics(broker.topic_root), common.inbox, common.live, common.clock, common.metrics
    )
    if broker.kind == "embedded":
        guard = (
            pki.guard()
            if pki and broker.with_certificates
            else password_guard(broker, common.config.data_dir)
        )
        return EmbeddedBroker(broker, reception, common.metrics, guard)
    return ExternalBroker(broker, reception, common.metrics, site=common.config.site)


def make_sources(common: Common) -> Iterator[WayIn]:
    """The ways in beside MQTT topics of our own and HTTP; each is imported only where it is configured."""
    config = common.config
    for name, plugin, settings in build_sources(config):
        context = SourceContext(name, config.site, common.inbox, common.clock, common.metrics)
        yield plugin.build(settings, context=context)
    if config.sparkplug.enabled:
        from gateway.sparkplug.client import SparkplugClient

        # At an embedded broker it is a client like the gateway's own commands, elsewhere one more link.
        outside = config.broker.kind == "external"
        own = config.broker.of_link(config.broker.connections) if outside else None
        broker = own or config.commands_broker
        yield SparkplugClient(
            config.sparkplug, broker, site=config.site, inbox=common.inbox, live=common.live,
            clock=common.clock, metrics=common.metrics,
        )  # fmt: skip


def make_journal(common: Common, retention: Retention) -> JournalWriter:
    """The journal's one writer."""
    config = common.config
    return JournalWriter(
        config.journal_path,
        site=config.site,
        clock=common.clock,
        metrics=common.metrics,
        retention=retention,
    )


def make_pipeline(common: Common, journal: JournalWriter, broker: Broker) -> Pipeline:
    """The path of a batch."""
    lake = common.config.journal.ack_after == "lake"
    if not lake:
        forget_acks(journal.path)
    return Pipeline(
        acks=AckAfterLake(journal.path) if lake else AckAfterJournal(),
        reader=GroupReader(common.limits, common.metrics, common.clock.monotonic),
        journal=journal,
        feed=common.feed,
        broker=broker,
        topics=Topics(common.config.broker.topic_root),
        metrics=common.metrics,
        trace=common.trace,
    )


def make_http_ingest(
    common: Common, ingest: IngestWorker, journal: JournalWriter, pki: RunningPki | None
) -> Listener | None:
    """The way in for HTTP; None where it is off."""
    config = common.config.ingest.http
    if not config.enabled:
        return None
    # Imported here: uvicorn and Starlette are for gateways that listen for HTTP.
    from gateway.api.app import http_listener
    from gateway.api.desk import Desk
    from gateway.api.handover import Handover
    from gateway.api.tokens import Tokens, token_path

    handover = Handover(
        inbox=common.inbox,
        clock=common.clock,
        stalled=lambda: ingest.stalled or ingest.ended.is_set(),
        keys_full=lambda: journal.keys.full,
        held_s=common.inbox.held_s,
    )
    tokens = Tokens(token_path(common.config.data_dir))
    desk = Desk(tokens=tokens, clock=common.clock, handover=handover)
    context = pki.server_context() if pki is not None and config.with_site_certificate else None
    return http_listener(config, desk, common.metrics, context)


def make_models(common: Common, broker: Broker) -> Models | None:
    """What brings models from the signed repository; None where there is none."""
    config = common.config
    if not config.model_repository.enabled:
        return None
    # Imported here: TUF and the rest is for gateways that have a repository.
    from gateway.models.assembly import Models

    return Models(
        config.model_repository,
        site=config.site,
        folder=config.models_path,
        fixed=fixed_names(config.models),
        live=common.live,
        metrics=common.metrics,
        clock=common.clock,
        topics=Topics(config.broker.topic_root),
        publish=broker.publish,
    )


def make_consumers(common: Common) -> list[Consumer]:
    """Everyone who reads the journal inside this process, in the order of their results."""
    return [make() for make in makers(common, common.config).values()]


def makers(common: Common, config: GatewayConfig) -> dict[str, Callable[[], Consumer]]:
    """How each consumer of a configuration is made, by its name.

    Each is imported only where it is configured: a gateway without models carries no LiteRT.
    """
    made: dict[str, Callable[[], Consumer]] = {}
    if config.models:
        made["inference"] = partial(_inference, common, config)
    if config.all_rules:
        made["rules"] = partial(_rules, common, config)
    if config.notify:
        made["notify"] = partial(_notify, common, config)
    made["schema"] = partial(_schema, common)
    for name, plugin, settings in build_sinks(config):
        made[f"sink/{name}"] = partial(_sink, common, config, name, plugin, settings)
    return made


def _inference(common: Common, config: GatewayConfig) -> Consumer:
    from gateway.inference.consumer import InferenceConsumer

    return InferenceConsumer(config.models, common.metrics)


def _rules(common: Common, config: GatewayConfig) -> Consumer:
    from gateway.rules.consumer import RulesConsumer

    judged = judged_relatively(config.all_rules, config.model_repository)
    rules = resolve(judged, thresholds(config.models))
    return RulesConsumer(rules, common.metrics, common.clock.now_us())


def _notify(common: Common, config: GatewayConfig) -> Consumer:
    from gateway.notify.consumer import NotifyConsumer

    return NotifyConsumer(config.notify, common.metrics, config.site)


def _schema(common: Common) -> Consumer:
    from gateway.schema import SchemaConsumer

    return SchemaConsumer(common.metrics)


def _sink(
    common: Common, config: GatewayConfig, name: str, plugin: Plugin, settings: Any
) -> Consumer:
    from gateway.sinks.consumer import SinkConsumer

    metrics = common.metrics
    sink = plugin.build(settings, site=config.site)
    return SinkConsumer(name, sink, settings.required, metrics, settings.lanes)


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


def make_vitals(common: Common, status: Status) -> VitalsConsumer:
    """What journals the gateway's own state."""
    config = common.config
    source = Source(
        status=status, live=common.live, metrics=common.metrics, journal=config.journal_path
    )
    return VitalsConsumer(site=config.site, interval_s=config.vitals.interval_s, source=source)
