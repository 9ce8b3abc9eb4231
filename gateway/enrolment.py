"""Enrolment as gateway.toml has it: for the commands, and while the gateway runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl

from gateway.broker.config import BrokerConfig, is_loopback
from gateway.broker.embedded import Guard
from gateway.broker.keepers import CertificateKeeper
from gateway.config import GatewayConfig
from gateway.enrol.admission import Admission
from gateway.enrol.expel import BrokerAddress
from gateway.enrol.mosquitto import OwnUser
from gateway.enrol.server import EnrolServer
from gateway.enrol.site import SitePki
from headrace.clock import Clock
from headrace.errors import EnrolmentError, StorageError
from headrace.limits.enrolment import CERTIFICATE_WARN_DAYS, RENEW_CHECK_S
from headrace.logs import Condition
from headrace.metrics import Metrics

logger = logging.getLogger(__name__)


class RunningPki:
    """The site's CA in the running gateway: guards the broker, serves devices that enrol, and looks
    once an hour after the certificates that the gateway itself shows."""

    def __init__(self, config: GatewayConfig, clock: Clock, metrics: Metrics) -> None:
        self._site = open_site(config, clock)
        self._config = config.enrol
        self._metrics = metrics
        self._admission = Admission(self._site.authority.paths.registry)
        self._condition = Condition(logger, "the gateway's certificates")

    def guard(self) -> Guard:
        """What the embedded broker needs to let in enrolled devices only."""
        return Guard(self._site.broker_context(), CertificateKeeper(self._admission))

    def server_context(self) -> ssl.SSLContext:
        """TLS of another listener that shows the gateway's certificate."""
        return self._site.server_context()

    async def start(self, stack: contextlib.AsyncExitStack) -> None:
        stack.callback(self._site.close)
        stack.callback(self._admission.close)
        if self._config.enabled:
            server = EnrolServer(self._config, self._site.desk, self._site.server_context())
            await server.start()
            stack.push_async_callback(server.stop)
        task = asyncio.create_task(self._look_after(), name="certificates")
        stack.push_async_callback(_end, task)

    async def _look_after(self) -> None:
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(RENEW_CHECK_S)

    def look(self) -> None:
        """Renew what is due, bring mosquitto's files up to date, and say how long all is good."""
        try:
            if self._site.renew():
                logger.info("the gateway's own certificate is renewed")
            days = self._site.days_left()
            self._metrics.set("certificates_ending", self._site.ending())
        except (StorageError, EnrolmentError) as error:
            self._condition.bad(error)
            return
        for name, left in days.items():
            self._metrics.set("certificate_days", left, certificate=name)
        short = [name for name, left in days.items() if left < CERTIFICATE_WARN_DAYS]
        if short:
            self._condition.bad(f"that of {', '.join(short)} ends within a month, unrenewed")
        else:
            self._condition.good()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def make_pki(config: GatewayConfig, clock: Clock, metrics: Metrics) -> RunningPki | None:
    """The site's CA where something needs it, made at the first use."""
    listeners = (config.ingest.http, config.http)
    shown = any(each.with_site_certificate for each in listeners)
    if (
        config.enrol.enabled
        or config.enrol.mosquitto_dir
        or config.broker.with_certificates
        or shown
    ):
        return RunningPki(config, clock, metrics)
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
        hosts=[
            config.enrol.host,
            *([config.broker.host] if embedded else []),
            *(
                each.host
                for each in (config.ingest.http, config.http)
                if each.with_site_certificate
            ),
        ],
        broker_host="" if beside_us else config.broker.host,
        broker_port=config.broker.port,
        topic_root=config.broker.topic_root,
        # The Sparkplug host is one more: mosquitto takes the certificate's name for the client id.
        connections=1 if embedded else config.broker.connections + config.sparkplug.enabled,
        clock=clock,
        broker=BrokerAddress(config.broker.own_host, config.broker.port)
        if config.broker.kind == "external" and config.broker.with_certificates
        else None,
        own=_own_user(config.broker),
    )


def _own_user(broker: BrokerConfig) -> OwnUser | None:
    """Who the gateway is at an external broker with passwords."""
    if broker.kind == "embedded" or broker.auth != "password" or broker.password_file is None:
        return None
    try:
        return OwnUser(broker.username, broker.password_file.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise StorageError(f"{broker.password_file}: {error}") from error
