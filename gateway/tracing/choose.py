"""Whether anybody asks for traces: the configuration, or the environment as OpenTelemetry has it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from gateway.tracing.config import TracingConfig
from gateway.tracing.port import OFF, Trace
from headrace.errors import UsageError

logger = logging.getLogger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def make_trace(
    config: TracingConfig, site: str, environment: Mapping[str, str] = os.environ
) -> Trace:
    """The trace that configuration or environment ask for.

    Raises:
        UsageError: the configuration does, and the packages are not there.
    """
    asked = any(environment.get(name) for name in _ENDPOINTS)
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or not (config.endpoint or asked):
        return OFF
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter") is None:
        missing = "tracing needs packages that are not installed"
        if config.endpoint:
            raise UsageError(missing, hint="pip install 'headrace[otel]', or leave [tracing] out")
        logger.warning("%s: OTEL_EXPORTER_OTLP_ENDPOINT is not followed", missing)
        return OFF
    # Imported here: SDK and exporter take 0.3 s and 20 MB.
    from gateway.tracing.otel import OtelTrace

    return OtelTrace(config.endpoint, site)
