"""Runs a gateway: starts its parts sinks first, stops them the other way round."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from pathlib import Path

from gateway.assembly import CONSUMERS, Parts
from gateway.assembly.ways_in import listener_context
from gateway.reload import Reloader
from gateway.sources.port import HasCondition
from headrace.journal import JournalReader
from headrace.limits.process import GATEWAY_DRAIN_S, GC_THRESHOLD

logger = logging.getLogger(__name__)


async def run(parts: Parts, config: Path) -> None:
    """Work until SIGTERM or SIGINT, or until the journal fails for good; SIGHUP reads ``config`` again.

    Raises:
        HeadraceError: it could not start, or had to stop.
    """
    reloader = Reloader(parts, config, asyncio.get_running_loop())
    signals = Signals(parts, reloader)
    async with contextlib.AsyncExitStack() as stack:
        await _start(parts, stack)
        _collect_rarely()
        logger.info("gateway of site %s is up", parts.common.config.site)
        while not signals.stop and not parts.ingest.ended.is_set():
            await signals.wait(0.5)
            if signals.take_reload():
                await asyncio.to_thread(reloader.reload)
        logger.info("stopping")
    if parts.ingest.failure is not None:
        raise parts.ingest.failure


def _collect_rarely() -> None:
    """Let Python look for cyclic garbage where there is some.

    Messages come and go without cycles, but each makes a few objects that the collector counts, and a
    collection goes through all that is alive: a third of the CPU at 25,000 messages/s. What the start
    made stays for good, and is not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)


class Signals:
    """What the process is told: stop, or reload (which has the models looked at, too)."""

    def __init__(self, parts: Parts, reloader: Reloader) -> None:
        self.stop = False
        self._reload = False
        self._parts = parts
        self._reloader = reloader
        self._said = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload)

    async def wait(self, timeout_s: float) -> None:
        """Return when a signal came, or after a while."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._said.wait(), timeout_s)
        self._said.clear()

    def take_reload(self) -> bool:
        """Whether a reload was asked for since the last call; many asks are one."""
        asked, self._reload = self._reload and not self.stop, False
        return asked

    def _on_stop(self) -> None:
        self.stop = True
        self._reloader.stop()
        self._said.set()

    def _on_reload(self) -> None:
        if self._parts.models is not None:
            self._parts.models.poller.nudge()
        self._reload = True
        self._said.set()


async def _start(parts: Parts, stack: contextlib.AsyncExitStack) -> None:
    """Sinks before sources; the stack stops them in the other order."""
    stack.callback(parts.common.trace.close)
    stack.callback(parts.journal.close)
    _forget_gone(parts)
    for runner in parts.runners:
        cursor, state = parts.journal.register(
            runner.consumer.name, required=runner.consumer.required
        )
        runner.start(cursor, state)
    stack.push_async_callback(asyncio.to_thread, _stop_workers, parts)
    parts.live_worker.start()
    parts.ingest.start()
    if parts.common.config.http.enabled:
        await _start_http(parts, stack)
    await parts.broker.start()
    stack.push_async_callback(parts.broker.stop)
    stack.push_async_callback(_stop_sources, parts)
    for source in parts.sources.values():
        await source.start()
    if parts.http_ingest is not None:
        await parts.http_ingest.start()
        stack.push_async_callback(parts.http_ingest.stop)
        http = parts.common.config.ingest.http
        logger.info("readings by HTTP at %s:%d", http.host, http.port)
    if parts.models is not None:
        await parts.models.start(stack)
    if parts.pki is not None:
        await parts.pki.start(stack)


async def _stop_sources(parts: Parts) -> None:
    """Those that are there now: a reload may have exchanged some."""
    for source in reversed(parts.sources.values()):
        await source.stop()


def _forget_gone(parts: Parts) -> None:
    """Drop the cursors of consumers that the configuration no longer has: they would hold the journal."""
    here = {runner.consumer.name for runner in parts.runners}
    with JournalReader(parts.journal.path) as journal:
        for name, offset, _ in journal.cursors():
            inside = name in CONSUMERS or name.startswith("sink/")
            if inside and name not in here:
                journal.forget(name)
                logger.warning("%s is configured no more; forgot its cursor %d", name, offset)


async def _start_http(parts: Parts, stack: contextlib.AsyncExitStack) -> None:
    # Imported here: FastAPI and NiceGUI take time and memory that a gateway without them saves.
    from gateway.http import make_app
    from gateway.listener import Listener

    config, models = parts.common.config.http, parts.models

    def sparkplug() -> object:
        source = parts.sources.get("sparkplug")
        return source.condition() if isinstance(source, HasCondition) else None

    app = make_app(parts.status, parts.common.live, parts.common.metrics, sparkplug)
    if models is not None:
        models.serve(app)
    if config.console:
        from gateway.console import mount

        mount(app, parts.common.live, parts.status, models.rows if models else None)
    server = Listener(
        app, host=config.host, port=config.port, key="http.port", lifespan=True,
        context=listener_context(config, parts.pki),
    )  # fmt: skip
    await server.start()
    stack.push_async_callback(server.stop)
    logger.info("%s://%s:%d", "https" if config.tls else "http", config.host, config.port)


def _stop_workers(parts: Parts) -> None:
    """Nothing arrives any more: let consumers finish what was committed, then end all threads."""
    common = parts.common
    common.inbox.close()
    deadline = common.clock.monotonic() + GATEWAY_DRAIN_S
    while common.clock.monotonic() < deadline and not _drained(parts):
        parts.ingest.ended.wait(0.02)
    for runner in parts.runners:
        runner.signal_stop()
    common.feed.close()
    for runner in parts.runners:
        runner.join()
    parts.live_worker.stop()
    parts.ingest.stop()


def _drained(parts: Parts) -> bool:
    return parts.common.inbox.is_empty and all(runner.caught_up() for runner in parts.runners)
