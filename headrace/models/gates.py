"""What a version must keep to before it may take over, and while it is on probation (pure).

Evidence is gathered per call of a model: rows, scores that are no numbers, rows above the model's own
threshold, how long the call took. ``fault`` compares it with the gates, and with the evidence of the
version that runs now over the same time: a pump that really fails raises both alert rates, a
model that cries wolf only its own.

Scores of two models are not comparable, but their distances from their own thresholds are: drift is
how many times further from (or nearer to) its threshold the middle score lies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

from msgspec import Meta

from headrace.limits import (
    MODELS_EVIDENCE_CALLS,
    MODELS_EVIDENCE_SCORES,
    MODELS_MAX_LATENCY_MS,
    MODELS_MIN_ROWS,
)

Share = Annotated[float, Meta(ge=0, le=1)]

#: Scores that one call adds to the evidence at most; evenly spread over its rows.
_SCORES_PER_CALL: Final = 64

#: Calls before the slowest of them say anything: the first one is slower than all that follow.
_CALLS_FOR_P99: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """``[model_repository.gates]``.

    Attributes:
        min_rows: rows that must have been scored before anything is decided for a version.
        max_latency_ms: 99 of 100 calls take less.
        max_not_finite: share of scores that are NaN or infinite.
        max_alert_rate: share of rows above the threshold that is always allowed.
        max_alert_rate_alone: the share where no version runs yet: devices may really be faulty.
        alert_factor: more is allowed up to this many times the running version's share.
        max_drift: times that the middle score may lie further from or nearer to the threshold.
    """

    min_rows: Annotated[int, Meta(ge=1)] = MODELS_MIN_ROWS
    max_latency_ms: Annotated[float, Meta(gt=0)] = MODELS_MAX_LATENCY_MS
    max_not_finite: Share = 0.0
    max_alert_rate: Share = 0.02
    max_alert_rate_alone: Share = 0.5
    alert_factor: Annotated[float, Meta(ge=1)] = 3.0
    max_drift: Annotated[float, Meta(gt=1)] = 20.0


@dataclass(slots=True)
class Evidence:
    """What a version did on live readings; bounded."""

    rows: int = 0
    not_finite: int = 0
    alerts: int = 0
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


def fault(gates: Gates, found: Evidence, running: Evidence | None = None) -> str:
    """Why a version may not go on; empty while nothing speaks against it.

    Args:
        running: of the version that it would replace (or replaced), over the same readings.
    """
    if found.rows and found.not_finite / found.rows > gates.max_not_finite:
        return (
            f"{found.not_finite} of {found.rows} scores are not finite numbers, "
            f"allowed are {gates.max_not_finite:.2%}"
        )
    if found.rows < gates.min_rows:
        return ""
    if found.slowest_ms > gates.max_latency_ms:
        return (
            f"a call takes {found.slowest_ms:.1f} ms (p99), allowed are {gates.max_latency_ms:g} ms"
        )
    base = running if running is not None and running.rows >= gates.min_rows else None
    return _alerts(gates, found, base) or _drift(gates, found, base)


def broken(gates: Gates, found: Evidence) -> str:
    """What no version may do, however long it has been good: scores that are none, and slowness."""
    if found.rows and found.not_finite / found.rows > gates.max_not_finite:
        return (
            f"{found.not_finite} of {found.rows} scores are not finite numbers, "
            f"allowed are {gates.max_not_finite:.2%}"
        )
    if len(found.calls_ms) >= _CALLS_FOR_P99 and found.slowest_ms > gates.max_latency_ms:
        return (
            f"a call takes {found.slowest_ms:.1f} ms (p99), allowed are {gates.max_latency_ms:g} ms"
        )
    return ""


def _alerts(gates: Gates, found: Evidence, base: Evidence | None) -> str:
    allowed, said = gates.max_alert_rate_alone, ""
    if base is not None:
        allowed = max(gates.max_alert_rate, gates.alert_factor * base.alert_rate)
        said = f"; the running version calls {base.alert_rate:.1%} faulty"
    if found.alert_rate <= allowed:
        return ""
    return f"it calls {found.alert_rate:.1%} of {found.rows} rows faulty, allowed are {allowed:.1%}{said}"


def _drift(gates: Gates, found: Evidence, base: Evidence | None) -> str:
    if base is None or not base.middle > 0:
        return ""
    drift = found.middle / base.middle
    if 1 / gates.max_drift <= drift <= gates.max_drift:
        return ""
    return (
        f"its scores lie {drift:.3g} times as far towards the threshold as those of the running "
        f"version, allowed are {1 / gates.max_drift:.3g} to {gates.max_drift:.3g}"
    )
