"""Spans by OpenTelemetry, sent as OTLP over HTTP from a thread of the SDK's own.

A consumer's step happens later than the group that it works on, in another thread, and maybe on the
batches of many groups: it becomes a child of the first one's trace and links the others. Which
offsets came from which group is remembered for as long as it is likely to be asked; a consumer that
is further behind starts traces of its own.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from opentelemetry import trace as api

from gateway.feed import Entry
from gateway.ingest.inbox import Work
from gateway.tracing.port import Trace
from headrace import __version__
from headrace.limits.process import TRACE_MAX_GROUPS, TRACE_MAX_LINKS
from headrace.logs import Condition
from headrace.tracing.provider import make_provider
from headrace.tracing.ring import Group, Ring

logger = logging.getLogger(__name__)

_US: Final = 1_000


class OtelTrace(Trace):
    """Follows groups.

    Args:
        endpoint: base URL of the receiver; empty where the environment names it.
        site: an attribute of every span.
        groups: the file by which landing finds the traces of its batches.
    """

    def __init__(self, endpoint: str, site: str, groups: Path) -> None:
        self._provider = make_provider(endpoint, service="headrace-gateway", site=site)
        self._tracer = self._provider.get_tracer("headrace", __version__)
        self._ring = Ring(groups)
        self._condition = Condition(logger, "the file of traces")
        self._last_offsets: deque[int] = deque(maxlen=TRACE_MAX_GROUPS)
        self._contexts: deque[api.SpanContext] = deque(maxlen=TRACE_MAX_GROUPS)

    @contextmanager
    def group(self, work: Work) -> Iterator[None]:
        first = min((arrival.received_at for arrival in work.arrivals), default=None)
        started = None if first is None else first * _US
        about: dict[str, int] = {
            "headrace.batches": len(work.arrivals),
            "headrace.bytes": sum(len(arrival.payload) for arrival in work.arrivals),
            "headrace.outcomes": len(work.submissions),
        }
        with self._tracer.start_as_current_span("group", start_time=started, attributes=about):
            if started is not None:
                self._tracer.start_span("receive", start_time=started).end()
            yield

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        with self._tracer.start_as_current_span(name):
            yield

    def committed(self, entries: Sequence[Entry]) -> None:
        span = api.get_current_span()
        if not entries or not span.get_span_context().is_valid:
            return
        span.set_attribute("headrace.first_offset", entries[0].offset)
        span.set_attribute("headrace.last_offset", entries[-1].offset)
        span.set_attribute("headrace.readings", sum(entry.rows.num_rows for entry in entries))
        self._contexts.append(span.get_span_context())
        self._last_offsets.append(entries[-1].offset)
        self._tell_landing(entries[-1].offset, span.get_span_context())

    def _tell_landing(self, last: int, context: api.SpanContext) -> None:
        if not context.trace_flags.sampled:
            return
        try:
            self._ring.add(Group(last, context.trace_id, context.span_id))
            self._condition.good()
        except OSError as error:
            self._condition.bad(error)

    @contextmanager
    def consume(self, consumer: str, entries: Sequence[Entry]) -> Iterator[None]:
        if not entries:
            yield
            return
        groups = self._groups_of(entries)
        parent = None
        if groups:
            parent = api.set_span_in_context(api.NonRecordingSpan(groups[0]))
        about: dict[str, str | int] = {
            "headrace.consumer": consumer,
            "headrace.first_offset": entries[0].offset,
            "headrace.last_offset": entries[-1].offset,
        }
        with self._tracer.start_as_current_span(
            consumer, context=parent, links=[api.Link(each) for each in groups[1:]],
            attributes=about,
        ):  # fmt: skip
            yield

    def _groups_of(self, entries: Sequence[Entry]) -> list[api.SpanContext]:
        # Copies, because the committing thread goes on; their lengths may differ by one for a moment.
        lasts, contexts = list(self._last_offsets), list(self._contexts)
        known = min(len(lasts), len(contexts))
        first = bisect_left(lasts, entries[0].offset, 0, known)
        last = bisect_left(lasts, entries[-1].offset, 0, known)
        return contexts[first : min(last + 1, first + TRACE_MAX_LINKS, known)]

    def close(self) -> None:
        self._provider.shutdown()
        self._ring.close()
