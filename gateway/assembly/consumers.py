"""Everyone who reads the journal inside this process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateway.assembly.common import Common
from gateway.broker.port import Broker
from gateway.config import GatewayConfig, build_sinks
from gateway.consumer import Consumer
from gateway.inference.consumer import thresholds
from gateway.models.config import fixed_names, judged_relatively
from gateway.rules import resolve
from gateway.status import Status
from gateway.vitals.consumer import VitalsConsumer
from gateway.vitals.source import Source
from headrace.plugins import Plugin
from headrace.topics import Topics

if TYPE_CHECKING:
    from gateway.models.assembly import Models

#: Consumers inside this process beside the sinks, by the names of their cursors.
CONSUMERS: Final = frozenset({"inference", "models", "rules", "notify", "schema", "vitals"})


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
    # Without a lake behind it a destination is the only one that has them.
    hold = settings.holds_odd_times and "lake" in config.journal.hold_for
    return SinkConsumer(name, sink, settings.required, metrics, settings.lanes, hold)


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


def make_vitals(common: Common, config: GatewayConfig, status: Status) -> VitalsConsumer:
    """What journals the gateway's own state."""
    source = Source(
        status=status, live=common.live, metrics=common.metrics, journal=config.journal_path
    )
    return VitalsConsumer(site=config.site, interval_s=config.vitals.interval_s, source=source)
