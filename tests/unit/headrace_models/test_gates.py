from __future__ import annotations

from headrace.models.gates import Evidence, Gates, broken, fault

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


def test_evidence_does_not_grow_with_time() -> None:
    """A version runs for years."""
    found = Evidence()
    for _ in range(2_000):
        found.add([1.0] * 1_000, threshold=10.0, alerts=0, not_finite=0, ms=1.0)
    assert len(found.calls_ms) <= 1_000
    assert len(found.relative) <= 4_096
