"""Which of the two traces it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gateway.tracing.port import OFF, Trace
from headrace.tracing.choose import wanted
from headrace.tracing.config import TracingConfig
from headrace.tracing.ring import FILE_NAME


def make_trace(
    config: TracingConfig, site: str, folder: Path, environment: Mapping[str, str] = os.environ
) -> Trace:
    """The trace that configuration or environment ask for.

    Args:
        folder: of the journal, beside which landing finds where its batches come from.

    Raises:
        UsageError: the configuration does, and the packages are not there.
    """
    if not wanted(config, environment):
        return OFF
    from gateway.tracing.otel import OtelTrace

    return OtelTrace(config.endpoint, site, folder / FILE_NAME)
