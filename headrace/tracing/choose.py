"""Whether anybody asks for traces: the configuration, or the environment as OpenTelemetry has it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from headrace.errors import UsageError
from headrace.tracing.config import TracingConfig

logger = logging.getLogger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def wanted(config: TracingConfig, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether configuration or environment ask for spans, and the packages for it are there.

    Raises:
        UsageError: the configuration does, and they are not.
    """
    asked = any(environment.get(name) for name in _ENDPOINTS)
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or not (config.endpoint or asked):
        return False
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter") is None:
        missing = "tracing needs packages that are not installed"
        if config.endpoint:
            raise UsageError(missing, hint="pip install 'headrace[otel]', or leave [tracing] out")
        logger.warning("%s: OTEL_EXPORTER_OTLP_ENDPOINT is not followed", missing)
        return False
    return True
