"""Settings of the ``[tracing]`` table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingConfig:
    """``[tracing]``: where spans go, as OTLP over HTTP.

    Attributes:
        endpoint: for example ``http://127.0.0.1:4318``; the standard ``OTEL_*`` variables say the rest
            (headers, certificates, sampling), and the endpoint where this is empty.
    """

    endpoint: str = ""
