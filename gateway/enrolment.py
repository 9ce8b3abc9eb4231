"""Enrolment as gateway.toml has it: for the commands, and while the gateway runs."""

from __future__ import annotations

import contextlib

from gateway.broker.config import is_loopback
from gateway.broker.embedded import Guard
from gateway.config import GatewayConfig
from gateway.enrol.expel import BrokerAddress
from gateway.enrol.server import EnrolServer
from gateway.enrol.site import Admission, SitePki
from headrace.clock import Clock


class RunningPki:
    """The site's CA in the running gateway: guards the broker, and serves devices that enrol."""

    def __init__(self, config: GatewayConfig, clock: Clock) -> None:
        self._site = open_site(config, clock)
        self._config = config.enrol
        self._admission = Admission(self._site.authority.paths.registry)

    def guard(self) -> Guard:
        """What the embedded broker needs to let in enrolled devices only."""
        return Guard(self._site.broker_context(), self._admission)

    async def start(self, stack: contextlib.AsyncExitStack) -> None:
        stack.callback(self._site.close)
        stack.callback(self._admission.close)
        if self._config.enabled:
            server = EnrolServer(self._config, self._site.desk, self._site.server_context())
            await server.start()
            stack.push_async_callback(server.stop)


def make_pki(config: GatewayConfig, clock: Clock) -> RunningPki | None:
    """The site's CA where something needs it, made at the first use."""
    if config.enrol.enabled or config.broker.with_certificates:
        return RunningPki(config, clock)
    return None


def open_site(config: GatewayConfig, clock: Clock) -> SitePki:
    """The site's CA and registry.

    Raises:
        StorageError: its folder cannot be read or written, or is damaged.
    """
    embedded = config.broker.kind == "embedded"
    beside_us = embedded or is_loopback(config.broker.host)
    return SitePki(
        config.enrol,
        data_dir=config.data_dir,
        site=config.site,
        hosts=[config.enrol.host, *([config.broker.host] if embedded else [])],
        broker_host="" if beside_us else config.broker.host,
        broker_port=config.broker.port,
        topic_root=config.broker.topic_root,
        clock=clock,
        broker=None if embedded else BrokerAddress(config.broker.own_host, config.broker.port),
    )
