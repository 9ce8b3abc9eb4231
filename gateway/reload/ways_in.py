"""Exchanges sources and the Sparkplug host of a running gateway.

A source that stops has given back what the journal has, and waits for what is on its way there (its port); the
one that takes its place goes on behind that, and what comes again is known. A Sparkplug host says farewell, and
its nodes are born again when the next one is online: what they publish in between without holding it for
their primary host is lost by that protocol's own rule.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from gateway.assembly.common import Common
from gateway.assembly.ways_in import source_makers
from gateway.config import GatewayConfig
from gateway.sources.port import Source
from headrace.errors import HeadraceError

Makers = Mapping[str, Callable[[], Source]]


class WaysIn:
    """Used by the thread that reloads; the sources themselves live in the event loop.

    Args:
        running: by name; it is kept up to date here.
    """

    def __init__(
        self, common: Common, running: dict[str, Source], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._common = common
        self._running = running
        self._loop = loop

    def make(self, config: GatewayConfig, names: set[str]) -> dict[str, Source]:
        """The new ones, not started.

        Raises:
            HeadraceError: one cannot be made.
        """
        makers = source_makers(self._common, config)
        return {name: make() for name, make in makers.items() if name in names}

    def exchange(
        self, gone: Sequence[str], made: Mapping[str, Source], before: GatewayConfig
    ) -> None:
        """Stop some, start others.

        Raises:
            HeadraceError: one does not start; those of ``before`` are there again.
        """
        stopped = [name for name in gone if name in self._running]
        for name in stopped:
            self._stop(name)
        try:
            for name, source in made.items():
                self._start(name, source)
        except HeadraceError:
            for name in [name for name in made if name in self._running]:
                self._stop(name)
            for name, source in self.make(before, set(stopped)).items():
                self._start(name, source)
            raise

    def _start(self, name: str, source: Source) -> None:
        self._wait_for(source.start())
        self._running[name] = source

    def _stop(self, name: str) -> None:
        self._wait_for(self._running.pop(name).stop())

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
