"""Whether a runtime gives the scores that training gave (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headrace.errors import ModelError
from headrace.models.manifest import Golden


def check_golden(golden: Golden, found: Sequence[float]) -> None:
    """Compare what was computed here with what the manifest's author computed.

    Raises:
        ModelError: a score differs by more than the tolerance, or is not a number.
    """
    for number, (expected, score) in enumerate(zip(golden.scores, found, strict=True)):
        allowed = golden.tolerance * (1.0 + abs(expected))
        if not math.isfinite(score) or abs(score - expected) > allowed:
            raise ModelError(
                f"golden vector {number}: expected {expected:.6g} ± {allowed:.2g}, got {score:.6g}",
                hint="the graph, its scores or this machine's runtime are not what training used",
            )
