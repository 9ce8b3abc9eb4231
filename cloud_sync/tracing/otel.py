"""Spans of landings by OpenTelemetry.

A landing's span is open between threads: encoding and uploading have threads of their own, and the next landing
is encoded while this one uploads. So open ones are kept by their first offset; one that failed is begun again
under the same offset, and the span of before ends there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from opentelemetry import trace as api
from opentelemetry.context import Context

from cloud_sync.tracing.port import Trace
from headrace import __version__
from headrace.limits.process import TRACE_MAX_GROUPS, TRACE_MAX_LINKS
from headrace.tracing import ring
from headrace.tracing.provider import make_provider

_SAMPLED: Final = api.TraceFlags(api.TraceFlags.SAMPLED)


class OtelTrace(Trace):
    """Follows landings.

    Args:
        endpoint: base URL of the receiver; empty where the environment names it.
        groups: the gateway's file of traces.
    """

    def __init__(self, endpoint: str, groups: Path) -> None:
        self._provider = make_provider(endpoint, service="headrace-cloud-sync")
        self._tracer = self._provider.get_tracer("headrace", __version__)
        self._groups = groups
        self._lock = threading.Lock()
        self._open: dict[int, api.Span] = {}
        self._landed: OrderedDict[str, api.SpanContext] = OrderedDict()

    @contextmanager
    def step(self, name: str, first: int, last: int) -> Iterator[None]:
        with self._below(name, self._landing(first, last, begins=name == "encode")):
            yield

    @contextmanager
    def landed(self, first: int, last: int, manifest: str, readings: int) -> Iterator[None]:
        landing = self._landing(first, last)
        with self._below("manifest", landing):
            yield
        landing.set_attribute("headrace.readings", readings)
        landing.end()
        with self._lock:
            self._open.pop(first, None)
            self._landed[manifest] = landing.get_span_context()
            if len(self._landed) > TRACE_MAX_GROUPS:
                self._landed.popitem(last=False)

    @contextmanager
    def registration(self, manifests: Sequence[str]) -> Iterator[None]:
        with self._lock:
            known = [self._landed.pop(each) for each in manifests if each in self._landed]
        with self._tracer.start_as_current_span(
            "registration", context=_inside(known[0]) if known else None,
            links=[api.Link(each) for each in known[1:TRACE_MAX_LINKS]],
            attributes={"headrace.manifests": len(manifests)},
        ):  # fmt: skip
            yield

    @contextmanager
    def _below(self, name: str, landing: api.Span) -> Iterator[None]:
        with self._tracer.start_as_current_span(name, context=_inside(landing.get_span_context())):
            yield

    def _landing(self, first: int, last: int, *, begins: bool = False) -> api.Span:
        with self._lock:
            found = self._open.get(first)
            if found is not None and not begins:
                return found
            if found is not None:
                found.end()
            self._open[first] = made = self._begin(first, last)
            return made

    def _begin(self, first: int, last: int) -> api.Span:
        groups = ring.between(ring.read(self._groups), first, last)[: TRACE_MAX_LINKS + 1]
        contexts = [
            api.SpanContext(each.trace_id, each.span_id, is_remote=True, trace_flags=_SAMPLED)
            for each in groups
        ]
        return self._tracer.start_span(
            "landing", context=_inside(contexts[0]) if contexts else None,
            links=[api.Link(each) for each in contexts[1:]],
            attributes={"headrace.first_offset": first, "headrace.last_offset": last},
        )  # fmt: skip


def _inside(context: api.SpanContext) -> Context:
    return api.set_span_in_context(api.NonRecordingSpan(context))
