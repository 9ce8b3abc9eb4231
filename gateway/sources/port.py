"""The port of a source: it puts arrivals into the inbox, and lets go of nothing before ``done``.

A source is started behind everything that its arrivals need and stopped before it. What it promises:

- It puts nothing into an inbox that has no room: it waits, and so does whoever is behind it.
- What it took is given back to where it came from only when ``Arrival.done`` was called: then the journal
  has it, or the quarantine.
- ``place`` (or ``key``, or an identity in the payload) names what it hands over, so that what comes again
  after a crash is known again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gateway.ingest.inbox import Inbox
from headrace.clock import Clock
from headrace.metrics import Metrics


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What ``build(settings, context=…)`` of a plugin gets. ``name`` tells sources of a site apart."""

    name: str
    site: str
    inbox: Inbox
    clock: Clock
    metrics: Metrics


@runtime_checkable
class CanBeAsked(Protocol):
    """A source whose other side can be asked before it is started."""

    def probe(self) -> str:
        """What it said of itself; changes nothing (``gateway doctor``).

        Raises:
            HeadraceError: it would not let us read, with a hint.
        """
        ...


@runtime_checkable
class HasCondition(Protocol):
    """A source that can say more of itself than that it runs."""

    def condition(self) -> dict[str, Any]:
        """For the API."""
        ...


class Source(Protocol):
    """A way in."""

    async def start(self) -> None:
        """Begin to hand messages over; what is away at present is retried for ever.

        Raises:
            HeadraceError: it can never work as configured.
        """
        ...

    async def stop(self) -> None:
        """Hand nothing over any more, and say farewell where that is the custom."""
        ...
