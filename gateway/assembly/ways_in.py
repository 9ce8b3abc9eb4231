"""How batches come in: broker, sources, HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.api.config import HttpIngestConfig
from gateway.assembly.common import Common
from gateway.broker.embedded import EmbeddedBroker, password_guard
from gateway.broker.external import ExternalBroker
from gateway.broker.port import Broker
from gateway.broker.reception import Reception
from gateway.config import GatewayConfig, HttpConfig, build_sources
from gateway.enrolment import RunningPki
from gateway.journal import JournalWriter
from gateway.listener_tls import renewed_context
from gateway.sources.port import Source as WayIn
from gateway.sources.port import SourceContext
from gateway.worker import IngestWorker
from headrace.plugins import Plugin
from headrace.topics import Topics

if TYPE_CHECKING:
    from gateway.listener import Listener


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


def make_sources(common: Common) -> dict[str, WayIn]:
    """The ways in beside MQTT topics of our own and HTTP, by name."""
    return {name: make() for name, make in source_makers(common, common.config).items()}


def source_makers(common: Common, config: GatewayConfig) -> dict[str, Callable[[], WayIn]]:
    """How each of them is made; each is imported only where it is configured."""
    made: dict[str, Callable[[], WayIn]] = {
        f"source/{name}": partial(_source, common, name, plugin, settings)
        for name, plugin, settings in build_sources(config)
    }
    if config.sparkplug.enabled:
        made["sparkplug"] = partial(_sparkplug, common, config)
    return made


def _source(common: Common, name: str, plugin: Plugin, settings: Any) -> WayIn:
    site = common.config.site
    context = SourceContext(name, site, common.inbox, common.clock, common.metrics)
    made: WayIn = plugin.build(settings, context=context)
    return made


def _sparkplug(common: Common, config: GatewayConfig) -> WayIn:
    from gateway.sparkplug.client import SparkplugClient

    # At an embedded broker it is a client like the gateway's own commands, elsewhere one more link.
    outside = config.broker.kind == "external"
    own = config.broker.of_link(config.broker.connections) if outside else None
    broker = own or config.commands_broker
    return SparkplugClient(
        config.sparkplug, broker, site=config.site, inbox=common.inbox, live=common.live,
        clock=common.clock, metrics=common.metrics,
    )  # fmt: skip


def listener_context(
    config: HttpConfig | HttpIngestConfig, pki: RunningPki | None
) -> ssl.SSLContext | None:
    """What a listener of ours shows: a certificate of the site's CA, or one in files; None for HTTP."""
    if not config.uses_tls:
        return None
    if config.certfile is not None and config.keyfile is not None:
        return renewed_context(config.certfile, config.keyfile)
    return pki.server_context() if pki is not None else None


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
    return http_listener(config, desk, common.metrics, listener_context(config, pki))
