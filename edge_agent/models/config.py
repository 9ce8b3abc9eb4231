"""The ``[models]`` table of an agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from headrace.config import FaultList
from headrace.limits.edge_models import (
    MODELS_CALL_TIMEOUT_S,
    MODELS_POLL_INTERVAL_S,
    MODELS_PROBATION_S,
    MODELS_SHADOW_S,
)
from headrace.models.gates import Gates
from headrace.models.lanes import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsSettings:
    """``[models]``: off without a source.

    Attributes:
        source: the gateway's mirror (``https://gateway:8443/models``), or a folder.
        root: the repository's trusted root. The gateway is not trusted with models.
        folder: where versions and their state are kept.
        ca: of the gateway's certificate; ``cert`` and ``key``: this device's, where it asks for one.
        labels: what promotions choose by, beside ``device``.
        interval_s: between two rounds of scoring.
    """

    source: str = ""
    root: Path | None = None
    folder: Path = Path("models")
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    labels: dict[str, str] = field(default_factory=dict)
    interval_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 1.0
    poll_interval_s: Annotated[float, Meta(ge=1, le=86_400)] = MODELS_POLL_INTERVAL_S
    shadow_s: Annotated[float, Meta(ge=0)] = MODELS_SHADOW_S
    probation_s: Annotated[float, Meta(ge=0)] = MODELS_PROBATION_S
    inputs_wait_s: Annotated[float, Meta(ge=0)] = 60.0
    call_timeout_s: Annotated[float, Meta(gt=0, le=60)] = MODELS_CALL_TIMEOUT_S
    gates: Gates = field(default_factory=Gates)

    @property
    def enabled(self) -> bool:
        return bool(self.source)

    @property
    def trial(self) -> Trial:
        """How versions are tried here."""
        return Trial(
            shadow_s=self.shadow_s,
            probation_s=self.probation_s,
            gates=self.gates,
            call_timeout_s=self.call_timeout_s,
        )


def check_models(settings: ModelsSettings, found: FaultList) -> None:
    """What single fields cannot say."""
    if not settings.enabled:
        return
    if settings.root is None:
        found.add("models.root", "missing; the repository's root.json, got from whoever publishes")
    found.add_missing_files(settings, "models", "root", "ca", "cert", "key")
    if (settings.cert is None) != (settings.key is None):
        found.add("models.cert", "cert and key belong together; one of them is missing")
