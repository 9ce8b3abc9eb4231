"""Starts the agent's parts, watches them, and stops them in the other order.

::

    start   buffer → uplink → sealer → inputs        (sinks before sources)
    stop    inputs → sealer → seal what is left → uplink (drains, says offline) → buffer

The main thread waits for a signal, for the inputs to end (``exit_when_done``), or for a part that
cannot go on. A part that dies without saying why ends the program too: a service manager restarts
it, and nothing that is in the buffer is lost. systemd is told when all of it runs, and its watchdog is
fed only while the uplink and the sealer go round: a part that hangs is a part that has died.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from edge_agent.buffer.files import set_aside
from edge_agent.config import AgentConfig
from edge_agent.notify import Notifier
from edge_agent.pipeline import Pipeline, build
from edge_agent.report import serve_metrics
from headrace.clock import Clock, SystemClock
from headrace.errors import HeadraceError, StorageCorrupt, StorageError, TransportError
from headrace.limits.agent import THREAD_STALL_S
from headrace.logs import Condition
from headrace.metrics import Metrics

_log = logging.getLogger(__name__)

#: Seconds between two looks whether every part is still alive.
_WATCH_S = 0.5


class AgentFailure(HeadraceError):
    """A part of the agent ended without being told to."""


class Agent:
    """One device's agent."""

    def __init__(self, config: AgentConfig, *, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self.metrics = Metrics("agent")
        self._failure: HeadraceError | None = None
        self._wanted = threading.Event()  # set: stop
        self._notifier = Notifier(self._clock)
        self._metrics_port = Condition(_log, "metrics")
        self._metrics_served = False

    def run(self, *, exit_when_done: bool = False) -> None:
        """Run until a signal, or with ``exit_when_done`` until all is sampled and acknowledged.

        Raises:
            HeadraceError: a part could not start or go on.
        """
        restore = self._catch_signals()
        try:
            parts = self._start()
            try:
                self._notifier.ready(f"buffering into {parts.store.path}")
                self._watch(parts, exit_when_done)
            finally:
                self._notifier.stopping()
                self._stop(parts)
        finally:
            restore()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ask ``run`` to end; from any thread or a signal handler."""
        self._wanted.set()

    # --- start and stop ---------------------------------------------------------------------------

    def _start(self) -> Pipeline:
        settings = self._config.settings
        parts = build(self._config, clock=self._clock, metrics=self.metrics, failed=self._fail)
        self._serve_metrics()
        for warning in self._config.warnings:
            _log.warning("%s", warning)
        parts.uplink.start()
        if parts.renewal is not None:
            parts.renewal.start()
        parts.sealer.start()
        parts.scheduler.start()
        _log.info(
            "device %s, stream %s, %d inputs, broker %s:%d",
            settings.device, parts.store.stream, len(self._config.inputs),
            settings.uplink.host, settings.uplink.port,
        )  # fmt: skip
        return parts

    def _stop(self, parts: Pipeline) -> None:
        if parts.renewal is not None:
            parts.renewal.stop()
        parts.scheduler.stop()
        parts.sealer.stop()
        if self._failure is None:
            parts.intake.flush()
        parts.uplink.stop(self._config.settings.uplink.stop_timeout_s)
        counts = parts.store.counts()
        if isinstance(self._failure, StorageCorrupt):
            with suppress(
                StorageError
            ):  # what cannot be folded stays in the log, which goes with it
                parts.store.close()
            aside = set_aside(parts.store.path, self._clock)
            _log.error("the buffer is damaged; moved to %s, the next start makes a new one", aside)
        else:
            parts.store.close()
        _log.info(
            "stopped: %d sampled, %d acknowledged, %d buffered, dropped: %s",
            counts.sampled, counts.acknowledged, counts.buffered, dict(counts.dropped) or "nothing",
        )  # fmt: skip

    # --- while it runs ----------------------------------------------------------------------------

    def _watch(self, parts: Pipeline, exit_when_done: bool) -> None:
        while not self._wanted.wait(_WATCH_S):
            if not (parts.uplink.is_alive and parts.sealer.is_alive):
                raise AgentFailure(
                    "a thread of the agent has ended", hint="its traceback stands above; restart"
                )
            parts.scheduler.look_at_clock()
            self._serve_metrics()
            if self._goes_round(parts):
                self._notifier.alive()
            if exit_when_done and parts.scheduler.is_done:
                parts.intake.flush()
                if parts.uplink.is_drained:
                    return

    def _serve_metrics(self) -> None:
        """A port that another program has taken is no reason not to sample; it may be free later."""
        port = self._config.settings.metrics.port
        if port is None or self._metrics_served:
            return
        try:
            serve_metrics(self.metrics, port)
        except TransportError as error:
            self._metrics_port.bad(error)
            return
        self._metrics_port.good()
        self._metrics_served = True

    def _goes_round(self, parts: Pipeline) -> bool:
        """Whether uplink and sealer have come round lately; neither waits longer than a minute."""
        now = self._clock.monotonic()
        seen = min(parts.uplink.seen_at, parts.sealer.seen_at)
        return now - seen < THREAD_STALL_S

    def _fail(self, error: HeadraceError) -> None:
        self._failure = self._failure or error
        self._wanted.set()

    def _catch_signals(self) -> Callable[[], None]:
        """Stop on SIGTERM and SIGINT; only the main thread may ask for signals."""
        if threading.current_thread() is not threading.main_thread():
            return lambda: None

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self._wanted.set()

        before = {
            number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)
        }

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return restore
