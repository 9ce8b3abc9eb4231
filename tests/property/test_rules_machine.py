"""The columnar rules against the plainest machine there is: one reading after the other."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.config import RuleConfig
from gateway.rules.evaluate import EntryColumns, Tracked, judge
from gateway.rules.machine import Timing
from tests.gateway_entries import SECOND, START, entry, rows

Said = list[tuple[str, int]]

steps = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 20.0])), max_size=60)
seconds = st.integers(0, 8)


def plainly(readings: list[tuple[int, float]], hold: int, keep: int) -> Said:
    """Prometheus's rules, reading by reading."""
    state, started, calm, judged, said = "", 0, None, -1, []
    for time, value in readings:
        if time <= judged:
            continue
        if value > 10:
            calm = None
            if not state:
                state, started = "pending", time
                if hold:
                    said.append(("pending", time))
            if state == "pending" and time - started >= hold:
                state = "firing"
                said.append(("firing", time))
        elif state == "pending":
            state = ""
            said.append(("inactive", time))
        elif state == "firing":
            calm = time if calm is None else calm
            if time - calm >= keep:
                state, calm = "", None
                said.append(("resolved", time))
    return said


def in_columns(readings: list[tuple[int, float]], cuts: list[int], hold: int, keep: int) -> Said:
    rule = RuleConfig(
        name="r", kind="threshold", series="x", value=10, for_s=hold / SECOND,
        keep_firing_for_s=keep / SECOND,
    )  # fmt: skip
    timing = Timing.of(for_s=rule.for_s, keep_firing_for_s=rule.keep_firing_for_s)
    tracked, said = Tracked(), []
    edges = [0, *sorted(cuts), len(readings)]
    for first, end in pairwise(edges):
        part = readings[first:end]
        if not part:
            continue
        batch = rows(["x"] * len(part), [time for time, _ in part], [value for _, value in part])
        for found in EntryColumns(entry("d", batch)).matching("x"):
            tracked, more = judge(rule, found, tracked, timing)
            said += [(one.state, one.time) for one in more]
    return said


@given(steps, seconds, seconds, st.data())
def test_columns_and_any_cut_into_batches_say_what_single_readings_say(
    gaps: list[tuple[int, float]], hold: int, keep: int, data: st.DataObject
) -> None:
    """Batching is invisible to rules."""
    time, readings = START, []
    for gap, value in gaps:
        time += (gap + 1) * SECOND
        readings.append((time, value))
    cuts = data.draw(st.lists(st.integers(0, len(readings)), max_size=5))
    expected = plainly(readings, hold * SECOND, keep * SECOND)
    assert in_columns(readings, cuts, hold * SECOND, keep * SECOND) == expected


@given(steps)
def test_every_alert_that_begins_can_end_and_states_follow_the_table(
    gaps: list[tuple[int, float]],
) -> None:
    """After pending comes firing or inactive, after firing comes resolved, after both nothing."""
    time, readings = START, []
    for gap, value in gaps:
        time += (gap + 1) * SECOND
        readings.append((time, value))
    allowed = {"": {"pending"}, "pending": {"firing", "inactive"}, "firing": {"resolved"}}
    state = ""
    for said, _ in in_columns(readings, [], 3 * SECOND, 2 * SECOND):
        assert said in allowed[state]
        state = "" if said in ("inactive", "resolved") else said
