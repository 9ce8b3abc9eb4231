"""When the agent tries to renew its certificate; clocks are arguments."""

from __future__ import annotations

import pytest

from edge_agent.enrol.plan import Plan
from headrace.limits.enrolment import RENEW_CHECK_S, RENEW_RETRY_FIRST_S, RENEW_RETRY_MAX_S
from headrace.pki.validity import Validity

_DAY_US = 24 * 3600 * 1_000_000
YEAR = Validity(0, 365 * _DAY_US)


@pytest.mark.parametrize(("day", "tries"), [(10, False), (240, False), (245, True), (400, True)])
def test_a_clock_that_is_right_decides(day: int, tries: bool) -> None:
    """In the last third of the certificate's life, and when it is over."""
    assert Plan().should_try(YEAR, day * _DAY_US, synced=True, mono=0.0) is tries


@pytest.mark.parametrize("day", [-20_000, 10, 300, 20_000])
def test_a_clock_that_may_be_wrong_decides_nothing(day: int) -> None:
    """It asks the gateway, whatever it says itself, and once a day."""
    plan = Plan()
    assert plan.should_try(YEAR, day * _DAY_US, synced=False, mono=0.0)
    plan.tried("not_due", 0.0)
    assert not plan.should_try(YEAR, day * _DAY_US, synced=False, mono=RENEW_RETRY_MAX_S - 1)
    assert plan.should_try(YEAR, day * _DAY_US, synced=False, mono=RENEW_RETRY_MAX_S)


def test_failures_are_tried_again_with_growing_pauses_up_to_a_day() -> None:
    """And the first success begins anew."""
    plan, mono, pauses = Plan(), 0.0, []
    for _ in range(14):
        plan.tried("failed", mono)
        pause = next(
            step
            for step in (RENEW_RETRY_FIRST_S * 2**n for n in range(20))
            if plan.should_try(
                YEAR, 300 * _DAY_US, synced=True, mono=mono + min(step, RENEW_RETRY_MAX_S)
            )
        )
        pauses.append(min(pause, RENEW_RETRY_MAX_S))
        mono += pauses[-1]
    assert pauses[:4] == [60, 120, 240, 480]
    assert pauses[-1] == RENEW_RETRY_MAX_S
    plan.tried("renewed", mono)
    plan.tried("failed", mono)
    assert plan.next_look_s(mono) == RENEW_RETRY_FIRST_S


def test_a_certificate_that_is_renewed_by_a_clock_that_is_ahead_is_not_renewed_again_at_once() -> (
    None
):
    """The new one seems due as well: once a day is enough."""
    plan = Plan()
    plan.tried("renewed", 0.0)
    assert not plan.should_try(YEAR, 400 * _DAY_US, synced=True, mono=3600.0)
    assert plan.next_look_s(0.0) == RENEW_CHECK_S


def test_without_a_certificate_there_is_nothing_to_renew() -> None:
    """It may be away or unreadable."""
    assert not Plan().should_try(None, 0, synced=False, mono=0.0)
