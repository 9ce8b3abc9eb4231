"""What a trace may follow of a batch's path; off unless somebody asks, and then this is all there is.

    group ─┬─ receive     from the first arrival to the start of its group
           ├─ decode
           ├─ commit      fsync included
           ├─ confirm     acks, nacks, PUBACK
           ├─ hand on
           └─ <consumer>  each step of a sink, of rules …, later and in a thread of its own

Spans are about groups, never about readings: tracing costs the same for one reading and for a
million. ``otel`` is the implementation that sends spans anywhere; it is imported when
``[tracing]`` or the ``OTEL_EXPORTER_OTLP_*`` variables of the environment ask for it, and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from gateway.feed import Entry
from gateway.ingest.inbox import Work

_NOTHING: Final = nullcontext()


class Trace:
    """Follows nothing."""

    def group(self, work: Work) -> AbstractContextManager[None]:
        """One group of work, from its first arrival on."""
        return _NOTHING

    def step(self, name: str) -> AbstractContextManager[None]:
        """A part of the group's way."""
        return _NOTHING

    def committed(self, entries: Sequence[Entry]) -> None:
        """What came of the group that is open; consumers' steps will be its children."""

    def consume(self, consumer: str, entries: Sequence[Entry]) -> AbstractContextManager[None]:
        """A consumer's step with these batches."""
        return _NOTHING

    def close(self) -> None:
        """Send what is left."""


OFF: Final = Trace()
