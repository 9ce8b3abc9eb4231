"""A broker elsewhere: MQTT 5 where it speaks that, 3.1.1 otherwise.

The session is persistent and PUBACK is manual: the broker keeps a message until our journal has it.

With ``connections`` above 1 the batches come through that many clients with one shared subscription
(``$share/…``, MQTT 5): for brokers that limit what one client may have in flight. All of them feed this
gateway's one journal, so dedup works as with one. States come through the first client alone: a
shared subscription gets no retained messages.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator

from gateway.broker.config import BrokerConfig
from gateway.broker.mqtt5.connection import Refused
from gateway.broker.mqtt5.link import Link, cancelled
from gateway.broker.mqtt5.window import Outgoing
from gateway.broker.mqtt311 import Mqtt311Client
from gateway.broker.reception import Reception
from gateway.clashes import Clash
from headrace.limits.broker import BROKER_MAX_OUTGOING
from headrace.logs import FirstTimes
from headrace.metrics import Metrics
from headrace.topics import Topics

logger = logging.getLogger(__name__)


class ExternalBroker:
    """The broker port over connections to a broker elsewhere."""

    def __init__(
        self, config: BrokerConfig, reception: Reception, metrics: Metrics, *, site: str
    ) -> None:
        self._config = config
        self._reception = reception
        self._metrics = metrics
        self._site = site
        self._outgoing: deque[Outgoing] = deque()
        self._drops = FirstTimes(logger)
        self._links = list(self._make_links())
        self._tasks: list[asyncio.Task[None]] = []
        self._old: Mqtt311Client | None = None
        self._fallback: asyncio.Task[None] | None = None

    def _make_links(self) -> Iterator[Link]:
        config, count = self._config, self._config.connections
        for number in range(count):
            filters, unwanted = self._filters(number)
            yield Link(
                config.of_link(number),
                f"headrace-gateway-{self._site}" + (f"-{number}" if number else ""),
                filters=filters,
                unwanted=unwanted,
                reception=self._reception,
                outgoing=self._outgoing,
                changed=self._say_connected,
            )

    def _filters(self, number: int) -> tuple[list[str], list[str]]:
        """What a client subscribes to, and what it may have subscribed to under other settings."""
        data, *states = Topics(self._config.topic_root).subscriptions()
        shared = f"$share/headrace-{self._site}/{data}"
        alone = self._config.connections == 1
        return [data if alone else shared, *(states if number == 0 else ())], [
            shared if alone else data
        ]

    async def start(self) -> None:
        if self._config.protocol == "3.1.1":
            await self._start_old()
            return
        for link in self._links:
            task = asyncio.create_task(link.run(), name="broker")
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A link ends by itself only when the broker speaks no MQTT 5."""
        if task.cancelled():
            return
        error = task.exception()
        if not isinstance(error, Refused):
            self._metrics.count("consumer_failures", consumer="broker")
            logger.error("the connection to the broker ended: %r", error)
        elif self._config.protocol == "5":
            logger.error(
                "broker %s:%d speaks no MQTT 5 (%s); set broker.protocol = \"3.1.1\" or \"auto\"",
                self._config.host, self._config.port, error,
            )  # fmt: skip
        elif self._old is None:
            logger.info("the broker speaks no MQTT 5 (%s); going on with 3.1.1", error)
            self._fallback = asyncio.create_task(self._start_old(), name="broker-3.1.1")

    async def _start_old(self) -> None:
        self._old = Mqtt311Client(self._config, self._reception, self._metrics, site=self._site)
        await self._old.start()
        while self._outgoing:
            topic, payload, retain = self._outgoing.popleft()
            self._old.publish(topic, payload, retain=retain)

    async def stop(self) -> None:
        for task in self._tasks:
            await cancelled(task)
        if self._old is not None:
            await self._old.stop()

    def clashes(self) -> list[Clash]:
        """Our own: of others only the broker knows."""
        return [
            Clash("client id", link.client_id, link.short_lives)
            for link in self._links
            if link.fights
        ]

    @property
    def connected(self) -> bool:
        if self._old is not None:
            return self._old.connected
        return all(link.up for link in self._links)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self._old is not None:
            self._old.publish(topic, payload, retain=retain)
            return
        if len(self._outgoing) >= BROKER_MAX_OUTGOING:
            self._metrics.count("dropped_answers")
            self._drops.warn("the broker takes no acks at present; devices will ask again")
            return
        self._outgoing.append((topic, payload, retain))
        self._links[0].flush_soon()

    def _say_connected(self) -> None:
        self._metrics.set("broker_connected", int(self.connected))
