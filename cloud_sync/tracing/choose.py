"""Which of the two traces it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cloud_sync.tracing.port import OFF, Trace
from headrace.tracing.choose import wanted
from headrace.tracing.config import TracingConfig
from headrace.tracing.ring import FILE_NAME


def make_trace(
    config: TracingConfig, journal: Path, environment: Mapping[str, str] = os.environ
) -> Trace:
    """The trace that configuration or environment ask for.

    Args:
        journal: beside it the gateway says which traces its batches are of.

    Raises:
        UsageError: the configuration does, and the packages are not there.
    """
    if not wanted(config, environment):
        return OFF
    from cloud_sync.tracing.otel import OtelTrace

    return OtelTrace(config.endpoint, journal.with_name(FILE_NAME))
