"""Settings of the ``[vitals]`` table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from headrace.limits.consumers import VITALS_INTERVAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalsConfig:
    """Whether and how often the gateway journals readings of itself."""

    enabled: bool = True
    interval_s: Annotated[float, Meta(ge=1, le=3_600)] = VITALS_INTERVAL_S
