"""What a version did on live readings, bounded: what ``gates`` judges (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from headrace.limits.console import LIVE_MAX_DEVICES
from headrace.limits.edge_models import MODELS_EVIDENCE_CALLS, MODELS_EVIDENCE_SCORES

#: Scores that one call adds to the evidence at most; evenly spread over its rows.
_SCORES_PER_CALL: Final = 64


@dataclass(slots=True)
class Count:
    """Rows of one device or of several, and how many of them a version calls faulty."""

    rows: int = 0
    alerts: int = 0

    @property
    def rate(self) -> float:
        return self.alerts / self.rows if self.rows else 0.0

    def add(self, rows: int, alerts: int) -> None:
        """More rows."""
        self.rows += rows
        self.alerts += alerts


@dataclass(slots=True)
class Evidence:
    """What a version did on live readings; bounded."""

    rows: int = 0
    not_finite: int = 0
    alerts: int = 0
    devices: dict[str, Count] = field(default_factory=dict)
    calls_ms: deque[float] = field(default_factory=lambda: deque(maxlen=MODELS_EVIDENCE_CALLS))
    relative: deque[float] = field(default_factory=lambda: deque(maxlen=MODELS_EVIDENCE_SCORES))

    def add(
        self, scores: Sequence[float], *, threshold: float, alerts: int, not_finite: int, ms: float
    ) -> None:
        """Take one call in.

        Args:
            scores: of all its rows.
            alerts: how many are above the threshold.
        """
        self.rows += len(scores)
        self.alerts += alerts
        self.not_finite += not_finite
        self.calls_ms.append(ms)
        stride = max(1, len(scores) // _SCORES_PER_CALL)
        self.relative.extend(score / threshold for score in scores[::stride])

    def add_device(self, device: str, *, rows: int, alerts: int) -> None:
        """Say whose rows some of those of the last call were."""
        if device in self.devices or len(self.devices) < LIVE_MAX_DEVICES:
            self.devices.setdefault(device, Count()).add(rows, alerts)

    @property
    def alert_rate(self) -> float:
        return self.alerts / self.rows if self.rows else 0.0

    @property
    def slowest_ms(self) -> float:
        """What 99 of 100 calls stay below."""
        calls = sorted(self.calls_ms)
        return calls[min(len(calls) - 1, int(len(calls) * 0.99))] if calls else 0.0

    @property
    def middle(self) -> float:
        """The median of score over threshold."""
        ordered = sorted(self.relative)
        return ordered[len(ordered) // 2] if ordered else 0.0
