"""When to try to renew the certificate. Pure: certificate, clocks and outcomes are arguments.

The rule is the certificate's (``headrace.pki.validity``): when less than a third of its life is left. What
this adds is what to believe and how often to try:

==============  ==================================================================================
clock synced    try when it is due by our own clock
not synced      try once a day; the attempt asks the gateway for its time, and goes by that
failed          again after a minute, then two, four … up to a day
renewed         the new one is looked at like any other
==============  ==================================================================================

So a clock of 1970 or of 2040 renews nothing that the gateway's clock would not.
"""

from __future__ import annotations

from typing import Literal

from headrace.limits.enrolment import RENEW_CHECK_S, RENEW_RETRY_FIRST_S, RENEW_RETRY_MAX_S
from headrace.pki.validity import Validity

Outcome = Literal["renewed", "not_due", "failed"]


class Plan:
    """Remembers the attempts; ``mono`` is monotonic seconds, ``now_us`` the wall clock."""

    def __init__(self) -> None:
        self._not_before = float("-inf")
        self._failures = 0

    def should_try(
        self, validity: Validity | None, now_us: int, *, synced: bool, mono: float
    ) -> bool:
        """Whether now is the time; without a readable certificate there is nothing to renew."""
        if validity is None or mono < self._not_before:
            return False
        return not synced or validity.is_due(now_us)

    def tried(self, outcome: Outcome, mono: float) -> None:
        """Take note of what came of an attempt."""
        self._failures = self._failures + 1 if outcome == "failed" else 0
        # Renewed or not due: a clock that is not synced, or is ahead, must not ask every hour.
        pause_s = RENEW_RETRY_MAX_S
        if self._failures:
            pause_s = min(RENEW_RETRY_FIRST_S * 2 ** min(self._failures - 1, 20), pause_s)
        self._not_before = mono + pause_s

    def next_look_s(self, mono: float) -> float:
        """Seconds until the next look; a retry comes before the regular one."""
        if not self._failures:
            return RENEW_CHECK_S
        return max(0.0, min(RENEW_CHECK_S, self._not_before - mono))
