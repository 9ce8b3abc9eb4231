from __future__ import annotations

import pytest

from headrace.models.evidence import Evidence
from headrace.models.gates import Gates, broken, fault, odd_devices

GATES = Gates(min_rows=10)


def evidence(
    score: float, *, rows: int = 1_000, alerts: int = 0, not_finite: int = 0, ms: float = 1.0
) -> Evidence:
    found = Evidence()
    found.add([score] * rows, threshold=10.0, alerts=alerts, not_finite=not_finite, ms=ms)
    return found


def test_a_version_that_does_what_the_running_one_does_passes() -> None:
    """The usual case."""
    assert fault(GATES, evidence(1.1), evidence(1.0)) == ""


def test_nothing_is_decided_before_enough_rows_were_scored() -> None:
    """A pump that starts looks faulty for a moment."""
    assert fault(GATES, evidence(99.0, rows=9, alerts=9), evidence(1.0)) == ""


def test_a_score_that_is_no_number_needs_no_second_one() -> None:
    """Whatever the number of rows."""
    assert "not finite" in fault(GATES, evidence(1.0, rows=1, not_finite=1))


def test_a_version_that_calls_everything_faulty_does_not_pass() -> None:
    """Neither beside another version nor alone."""
    assert "faulty" in fault(GATES, evidence(99.0, alerts=1_000), evidence(1.0))
    assert "faulty" in fault(GATES, evidence(99.0, alerts=1_000))


def test_a_real_fault_speaks_against_nobody() -> None:
    """Both versions see it."""
    assert fault(GATES, evidence(9.0, alerts=400), evidence(9.0, alerts=400)) == ""


def test_a_version_that_sees_nothing_any_more_does_not_pass() -> None:
    """Its scores lie far below those of the running one, seen from the threshold."""
    assert "times as far" in fault(GATES, evidence(0.001), evidence(1.0))


def test_slow_calls_are_a_fault_at_any_time_and_one_slow_call_is_not() -> None:
    """99 of 100 count."""
    found = evidence(1.0)
    for _ in range(200):
        found.add([1.0], threshold=10.0, alerts=0, not_finite=0, ms=1.0)
    found.add([1.0], threshold=10.0, alerts=0, not_finite=0, ms=9_000.0)
    assert broken(GATES, found) == ""
    for _ in range(20):
        found.add([1.0], threshold=10.0, alerts=0, not_finite=0, ms=300.0)
    assert "300.0 ms" in broken(GATES, found)


def test_one_or_two_slow_calls_of_few_are_no_fault() -> None:
    """A busy machine holds up a call; a slow model holds up all of them."""
    found = evidence(1.0)
    for slow in range(3):
        assert fault(GATES, found) == "", slow
        found.add([1.0], threshold=10.0, alerts=0, not_finite=0, ms=400.0)
    assert "400.0 ms" in fault(GATES, found)


def test_evidence_does_not_grow_with_time() -> None:
    """A version runs for years."""
    found = Evidence()
    for _ in range(2_000):
        found.add([1.0] * 1_000, threshold=10.0, alerts=0, not_finite=0, ms=1.0)
    assert len(found.calls_ms) <= 1_000
    assert len(found.relative) <= 4_096


def fleet(devices: int, *, rows: int = 50, alerts: int = 0, mad: int = 0) -> Evidence:
    """Devices with the same alerts, the first of them mad: all of their rows are called faulty."""
    found = Evidence()
    for number in range(devices):
        above = rows if number < mad else alerts
        found.add([1.0] * rows, threshold=10.0, alerts=above, not_finite=0, ms=1.0)
        found.add_device(f"d{number}", rows=rows, alerts=above)
    return found


@pytest.mark.parametrize("devices", [2, 10, 100])
@pytest.mark.parametrize("rows", [5, 50])
def test_one_device_that_is_odd_is_named_and_does_not_speak_for_the_others(devices, rows) -> None:
    """It may have broken in a way that only the new version sees; with few rows it is not even odd."""
    found, running = fleet(devices, rows=rows, mad=1), fleet(devices, rows=rows)
    assert fault(GATES, found, running) == ""
    named = [odd.device for odd in odd_devices(GATES, found, running)]
    assert named == (["d0"] if rows == 50 else [])


@pytest.mark.parametrize(("devices", "mad"), [(1, 1), (2, 2), (10, 2), (100, 11)])
def test_a_version_that_too_many_devices_do_not_agree_with_is_at_fault(devices, mad) -> None:
    """More than a tenth of them, and more than one where there are others."""
    said = fault(GATES, fleet(devices, mad=mad), fleet(devices))
    assert "faulty" in said
    if devices > 1:
        assert f"{mad} of {devices} devices, d0" in said


def test_a_device_that_is_really_broken_is_odd_to_neither_version() -> None:
    """The running one says so too."""
    assert odd_devices(GATES, fleet(10, mad=3), fleet(10, mad=3)) == []


def test_a_few_alerts_of_many_devices_are_chance() -> None:
    """A rate of one in fifty is two of 50 rows at some, and three at a few."""
    assert odd_devices(GATES, fleet(100, alerts=3), fleet(100)) == []
    assert "100 of 100 devices" in fault(GATES, fleet(100, alerts=6), fleet(100))


def test_many_devices_with_few_rows_are_judged_together() -> None:
    """Five rows of one say nothing, five rows of a hundred do."""
    assert "those with few rows" in fault(GATES, fleet(100, rows=5, alerts=1), fleet(100, rows=5))
