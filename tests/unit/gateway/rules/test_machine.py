from __future__ import annotations

import pytest

from gateway.rules.config import RuleConfig
from gateway.rules.evaluate import EntryColumns, Tracked, judge
from gateway.rules.machine import Timing
from tests.gateway_entries import SECOND, START, entry, rows, series


def transitions(
    values: list[float],
    *,
    for_s: float = 0.0,
    keep_firing_for_s: float = 0.0,
    cut: int | None = None,
) -> list[tuple[str, float]]:
    """(state, second) of each transition of ``x > 10``; ``cut`` splits the readings in two batches."""
    rule = RuleConfig(
        name="r",
        kind="threshold",
        series="x",
        value=10,
        for_s=for_s,
        keep_firing_for_s=keep_firing_for_s,
    )
    parts = [(0, values)] if cut is None else [(0, values[:cut]), (cut, values[cut:])]
    tracked, said = Tracked(), []
    for start, part in parts:
        for found in EntryColumns(series("d", "x", part, start_s=start)).matching("x"):
            timing = Timing.of(for_s=for_s, keep_firing_for_s=keep_firing_for_s)
            tracked, more = judge(rule, found, tracked, timing)
            said += more
    return [(one.state, (one.time - START) / SECOND) for one in said]


def test_a_rule_without_for_fires_at_the_first_true_reading_and_resolves_at_the_first_false() -> (
    None
):
    """for_s = 0 knows no pending."""
    assert transitions([1, 11, 12, 1]) == [("firing", 1), ("resolved", 3)]


def test_an_alert_is_pending_until_the_condition_has_held_long_enough() -> None:
    """Firing is said at the first reading that is for_s behind the start."""
    assert transitions([11] * 5, for_s=3) == [("pending", 0), ("firing", 3)]


def test_a_pending_alert_that_ends_early_becomes_inactive_and_never_fires() -> None:
    """A short peak is no alert, but its pending state ends for everyone who saw it."""
    assert transitions([1, 11, 11, 1], for_s=3) == [("pending", 1), ("inactive", 3)]


def test_a_firing_alert_outlasts_a_short_calm_when_told_to() -> None:
    """keep_firing_for_s stops flapping; the calm counts from its first reading."""
    values = [11.0, 1, 1, 11, 1, 1, 1, 1]
    assert transitions(values, keep_firing_for_s=3) == [("firing", 0), ("resolved", 7)]


@pytest.mark.parametrize("cut", range(1, 9))
def test_where_a_batch_ends_changes_nothing(cut: int) -> None:
    """Batches are a matter of transport."""
    values = [1.0, 11, 11, 11, 1, 11, 1, 1, 1]
    whole = transitions(values, for_s=2, keep_firing_for_s=2)
    assert whole == [("pending", 1), ("firing", 3), ("resolved", 8)]
    assert transitions(values, for_s=2, keep_firing_for_s=2, cut=cut) == whole


def test_nan_and_texts_are_no_readings_of_a_rule() -> None:
    """A missing number neither starts nor ends an alert."""
    batch = rows(["x"] * 4, [START + at * SECOND for at in range(4)], [11, float("nan"), "off", 12])
    found = next(EntryColumns(entry("d", batch)).matching("x"))
    assert found.values.tolist() == [11, 12]


def test_a_reading_from_the_future_is_judged_as_of_its_arrival() -> None:
    """One wild timestamp must not blind a rule until that time has come."""
    batch = rows(["x"], [START + 10**9 * SECOND], [11])
    found = next(EntryColumns(entry("d", batch, received_at=START)).matching("x"))
    assert found.times.tolist() == [START + 60 * SECOND]


@pytest.mark.parametrize(
    ("op", "is_true"),
    [(">", [0, 0, 1]), (">=", [0, 1, 1]), ("<", [1, 0, 0]), ("<=", [1, 1, 0]), ("==", [0, 1, 0]), ("!=", [1, 0, 1])],
)  # fmt: skip
def test_each_operator_compares_reading_with_value(op: str, is_true: list[int]) -> None:
    """All six, over a reading below, at and above the value."""
    rule = RuleConfig(name="r", kind="threshold", series="x", op=op, value=10)  # type: ignore[arg-type]
    fired = []
    for value in (9.0, 10.0, 11.0):
        found = next(EntryColumns(series("d", "x", [value])).matching("x"))
        _, said = judge(rule, found, Tracked(), Timing(0, 0))
        fired.append(len(said))
    assert fired == is_true
