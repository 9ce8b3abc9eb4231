"""The composition root: makes the parts, starts them sinks first, stops them the other way round."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.broker.embedded import EmbeddedBroker
from gateway.broker.external import ExternalBroker
from gateway.broker.port import Broker
from gateway.config import GatewayConfig, build_sinks
from gateway.consumer import Consumer
from gateway.enrolment import make_pki
from gateway.feed import Feed
from gateway.inference.consumer import thresholds
from gateway.ingest.inbox import Inbox
from gateway.journal import JournalWriter
from gateway.live import Live, LiveWorker
from gateway.models.config import fixed_names, judged_relatively
from gateway.pipeline import Pipeline
from gateway.retention import Retention
from gateway.rules import resolve
from gateway.runner import ConsumerRunner
from gateway.status import Status
from gateway.vitals.consumer import VitalsConsumer
from gateway.vitals.source import Source
from gateway.worker import IngestWorker
from headrace.clock import Clock, SystemClock
from headrace.metrics import Metrics
from headrace.topics import Topics

if TYPE_CHECKING:
    from gateway.models.assembly import Models

logger = logging.getLogger(__name__)

#: How long a stop lets consumers catch up with what was committed last.
_DRAIN_S = 5.0


class Gateway:
    """All parts of one running gateway."""

    def __init__(self, config: GatewayConfig, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self.metrics = Metrics("gateway")
        self.live = Live()
        self._inbox = Inbox()
        self._pki = make_pki(config, self._clock)
        self._broker = self._make_broker()
        self._journal = JournalWriter(
            config.journal_path,
            site=config.site,
            clock=self._clock,
            metrics=self.metrics,
            retention=Retention(
                max_bytes=config.journal.max_bytes, hold_for=config.journal.hold_for
            ),
        )
        self._feed = Feed(config.journal_path)
        self._feed.start_at(self._journal.head)
        self._ingest = IngestWorker(self._inbox, self._make_pipeline(), self._journal)
        self._runners = [
            ConsumerRunner(consumer, self._feed, self._inbox, self._clock, self.metrics)
            for consumer in make_consumers(config, self.metrics, self._clock)
        ]
        self._models = self._make_models()
        if self._models is not None:
            self._runners.append(
                ConsumerRunner(
                    self._models.consumer, self._feed, self._inbox, self._clock, self.metrics
                )
            )
        self._live_worker = LiveWorker(self.live, self._feed)
        self.status = Status(
            site=config.site,
            broker=self._broker,
            ingest=self._ingest,
            runners=self._runners,
            seen=self._journal.seen,
            head=lambda: self._feed.head,
            metrics=self.metrics,
            journal=config.journal_path,
        )
        if config.vitals.enabled:
            self._runners.append(self._make_vitals())

    def _make_vitals(self) -> ConsumerRunner:
        """Looks at all the others, so it is made behind them."""
        config = self._config
        source = Source(
            status=self.status, live=self.live, metrics=self.metrics, journal=config.journal_path
        )
        consumer = VitalsConsumer(
            site=config.site, interval_s=config.vitals.interval_s, source=source
        )
        return ConsumerRunner(consumer, self._feed, self._inbox, self._clock, self.metrics)

    def _make_broker(self) -> Broker:
        broker = self._config.broker
        if broker.kind == "embedded":
            guard = self._pki.guard() if self._pki and broker.with_certificates else None
            return EmbeddedBroker(broker, self._inbox, self._clock, self.metrics, guard)
        return ExternalBroker(
            broker, self._inbox, self._clock, self.metrics, site=self._config.site
        )

    def _make_models(self) -> Models | None:
        config = self._config
        if not config.model_repository.enabled:
            return None
        # Imported here: TUF and the rest is for gateways that have a repository.
        from gateway.models.assembly import Models

        return Models(
            config.model_repository,
            site=config.site,
            folder=config.models_path,
            fixed=fixed_names(config.models),
            live=self.live,
            metrics=self.metrics,
            clock=self._clock,
            topics=Topics(config.broker.topic_root),
            publish=self._broker.publish,
        )

    def _make_pipeline(self) -> Pipeline:
        return Pipeline(
            journal=self._journal,
            feed=self._feed,
            live=self.live,
            broker=self._broker,
            topics=Topics(self._config.broker.topic_root),
            metrics=self.metrics,
        )

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT, or until the journal fails for good.

        Raises:
            HeadraceError: it could not start, or had to stop.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if self._models is not None:
            loop.add_signal_handler(signal.SIGHUP, self._models.poller.nudge)
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            logger.info("gateway of site %s is up", self._config.site)
            while not stop.is_set() and not self._ingest.ended.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.5)
            logger.info("stopping")
        if self._ingest.failure is not None:
            raise self._ingest.failure

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        """Sinks before sources; the stack stops them in the other order."""
        stack.callback(self._journal.close)
        for runner in self._runners:
            cursor, state = self._journal.register(
                runner.consumer.name, required=runner.consumer.required
            )
            runner.start(cursor, state)
        stack.push_async_callback(asyncio.to_thread, self._stop_workers)
        self._live_worker.start()
        self._ingest.start()
        if self._config.http.enabled:
            await self._start_http(stack)
        await self._broker.start()
        stack.push_async_callback(self._broker.stop)
        if self._models is not None:
            await self._models.start(stack)
        if self._pki is not None:
            await self._pki.start(stack)

    async def _start_http(self, stack: contextlib.AsyncExitStack) -> None:
        # Imported here: FastAPI and NiceGUI take time and memory that a gateway without them saves.
        from gateway.http import make_app
        from gateway.listener import Listener

        app = make_app(self.status, self.live, self.metrics)
        if self._models is not None:
            self._models.serve(app)
        if self._config.http.console:
            from gateway.console import mount

            mount(app, self.live, self.status, self._models.rows if self._models else None)
        http = self._config.http
        server = Listener(app, host=http.host, port=http.port, key="http.port", lifespan=True)
        await server.start()
        stack.push_async_callback(server.stop)
        logger.info("http://%s:%d", self._config.http.host, self._config.http.port)

    def _stop_workers(self) -> None:
        """Nothing arrives any more: let consumers finish what was committed, then end all threads."""
        self._inbox.close()
        deadline = self._clock.monotonic() + _DRAIN_S
        while self._clock.monotonic() < deadline and not self._drained():
            self._ingest.ended.wait(0.02)
        for runner in self._runners:
            runner.signal_stop()
        self._feed.close()
        for runner in self._runners:
            runner.join()
        self._live_worker.stop()
        self._ingest.stop()

    def _drained(self) -> bool:
        return self._inbox.is_empty and all(runner.caught_up() for runner in self._runners)


def make_consumers(config: GatewayConfig, metrics: Metrics, clock: Clock) -> Sequence[Consumer]:
    """Everyone who reads the journal inside this process, in the order of their results.

    Each is imported only where it is configured: a gateway without models carries no LiteRT.
    """
    consumers: list[Consumer] = []
    if config.models:
        from gateway.inference.consumer import InferenceConsumer

        consumers.append(InferenceConsumer(config.models, metrics))
    if config.rules:
        from gateway.rules.consumer import RulesConsumer

        judged = judged_relatively(config.rules, config.model_repository)
        rules = resolve(judged, thresholds(config.models))
        consumers.append(RulesConsumer(rules, metrics, clock.now_us()))
    if config.notify:
        from gateway.notify.consumer import NotifyConsumer

        consumers.append(NotifyConsumer(config.notify, metrics, config.site))
    for name, plugin, settings in build_sinks(config):
        from gateway.sinks.consumer import SinkConsumer

        sink = plugin.build(settings, site=config.site)
        consumers.append(SinkConsumer(name, sink, settings.required, metrics))
    return consumers
