"""Settings of the webhook sink."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from gateway.sinks.config import SinkSettings
from headrace.config import FaultList
from headrace.limits.sinks import SINK_TIMEOUT_S, WEBHOOK_MAX_BYTES
from headrace.limits.sizes import KIB, MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings(SinkSettings):
    """``[[sinks]] plugin = "webhook"``; see sample.toml for what to change when."""

    url: Annotated[str, Meta(pattern=r"^https?://[^/]+")]
    mode: Literal["batch", "structured", "binary"] = "batch"
    token_file: Path | None = None
    signature_secret_file: Path | None = None
    ca_file: Path | None = None
    gzip: bool = False
    max_bytes: Annotated[int, Meta(ge=16 * KIB, le=64 * MIB)] = WEBHOOK_MAX_BYTES
    timeout_s: Annotated[float, Meta(gt=0, le=300)] = SINK_TIMEOUT_S


def check(settings: WebhookSettings, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    found.add_missing_files(settings, key, "token_file", "signature_secret_file", "ca_file")
