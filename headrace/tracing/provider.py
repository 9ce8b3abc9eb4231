"""Spans by OpenTelemetry, sent as OTLP over HTTP from a thread of the SDK's own.

SDK and exporter take 0.3 s and 20 MB: import this where spans are asked for, and not before.
"""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from headrace import __version__


def make_provider(endpoint: str, *, service: str, site: str = "") -> TracerProvider:
    """A program's spans. It sends what is left when it is shut down, which it is at the latest at exit.

    Args:
        endpoint: base URL of the receiver; empty where the environment names it.
        service: unless OTEL_SERVICE_NAME says another.
        site: an attribute of every span; OTEL_RESOURCE_ATTRIBUTES may say more.
    """
    about = {"service.version": __version__} | ({"headrace.site": site} if site else {})
    resource = Resource.create(about)
    if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": service}))
    provider = TracerProvider(resource=resource)
    target = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=target)))
    return provider
