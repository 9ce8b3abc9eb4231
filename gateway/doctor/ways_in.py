"""Ways in beside the broker: what sources would read, how Sparkplug nodes are, and names that two devices have.

A cluster is asked directly. What only the running gateway knows (births, takeovers) is asked of its API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gateway.config import GatewayConfig, build_sources
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.ingest.inbox import Inbox
from gateway.sources.port import CanBeAsked, SourceContext
from headrace import health
from headrace.clock import SystemClock
from headrace.errors import HeadraceError
from headrace.metrics import Metrics


def check(config: GatewayConfig, pid: int | None) -> Iterator[Finding]:
    """Everything about them that can be seen now."""
    yield from _sources(config)
    if pid is None or not config.http.enabled:
        if config.sparkplug.enabled:
            yield ok("sparkplug", "on; nodes are known by the running gateway, and its http")
        return
    try:
        if config.sparkplug.enabled:
            yield from _sparkplug(_ask(config, "/api/v1/sparkplug"))
        yield from _clashes(_ask(config, "/api/v1/clashes"))
    except HeadraceError as error:
        yield warn("ways in", str(error), "see the gateway's log")


def _ask(config: GatewayConfig, path: str) -> Any:
    return json.loads(health.probe(config.http.host, config.http.port, path, tls=config.http.tls))


def _sources(config: GatewayConfig) -> Iterator[Finding]:
    for name, plugin, settings in build_sources(config):
        # Not started: it puts nothing into this inbox.
        context = SourceContext(name, config.site, Inbox(), SystemClock(), Metrics("gateway"))
        try:
            source = plugin.build(settings, context=context)
            answer = source.probe() if isinstance(source, CanBeAsked) else ""
        except HeadraceError as error:
            yield fail("source", f"{name}: {error.message}", error.hint or "is it running?")
        else:
            yield ok("source", f"{name}: {answer or 'cannot be asked'}")


def _sparkplug(found: Any) -> Iterator[Finding]:
    if found is None:
        yield warn("sparkplug", "on in the file and off in the running gateway", "gateway reload")
        return
    if not found["connected"]:
        yield fail("sparkplug", "the host is not connected to the broker", "see the gateway's log")
        return
    yield ok("sparkplug", f"{found['nodes']} nodes and {found['devices']} devices are born")
    for node in found["unsure"]:
        yield warn(
            "sparkplug", _unsure(node),
            "does it take NCMD Node Control/Rebirth? look at its log, and at its ACL for NCMD",
        )  # fmt: skip
    more = found["unsure_nodes"] - len(found["unsure"])
    if more > 0:
        yield warn("sparkplug", f"{more} nodes more that are unsure", "see the others first")


def _unsure(node: Any) -> str:
    asked = node["asked_s"]
    said = f"asked for its birth {asked:.0f} s ago" if asked is not None else "not asked yet"
    return (
        f"{node['name']}: nobody knows what its aliases mean; {said}, {node['held']} messages wait"
    )


def _clashes(found: Any) -> Iterator[Finding]:
    for each in found:
        where = f" (from {', '.join(each['addresses'])})" if each["addresses"] else ""
        yield warn(
            "clash", f"{each['what']} {each['name']!r} is used by two, {each['times']} times{where}",
            "give each its own id; of a copied SD card: edge-agent enroll it under a name of its own",
        )  # fmt: skip
