from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import pytest

from gateway.consumer import Outcome
from gateway.feed import Entry
from gateway.inference.consumer import Model
from headrace.limits.consumers import INFERENCE_MAX_PENDING_TIMES, INFERENCE_STORED_PENDING_TIMES
from headrace.metrics import Metrics
from headrace.models.runtime import Matrix, Scores
from tests.gateway_entries import SECOND, START, entry, rows, series, wide


class SumScorer:
    """A model whose score is the sum of its features; remembers how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def score(self, rows: Matrix) -> Scores:
        self.calls += 1
        return rows.sum(axis=1)


class Bench:
    """One model with features a and b, aligned to a second, and a runner's manners."""

    def __init__(self, state: Mapping[str, bytes] | None = None, prefix: str = "") -> None:
        self.scorer = SumScorer()
        self.metrics = Metrics("gateway")
        self.state: dict[str, bytes] = dict(state or {})
        self.model = Model(
            key="0:m@1/",
            name="m",
            device="*",
            features=[prefix + "a", prefix + "b"],
            align_us=SECOND,
            scorer=self.scorer,
            metrics=self.metrics,
        )
        self.model.restore(self.state)

    def step(self, *entries: Entry) -> list[tuple[str, float, float]]:
        """(device, second, score) of each score."""
        derived, changes = self.model.step(entries)
        self.model.committed()
        for key, value in changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        return scores(Outcome(derived))


def scores(outcome: Outcome) -> list[tuple[str, float, float]]:
    return [
        (one.device, (row["time"].timestamp() * SECOND - START) / SECOND, row["value"])
        for one in outcome.derived
        for row in one.rows.to_pylist()
    ]


def test_all_devices_of_a_step_are_scored_in_one_call() -> None:
    """That is what makes a hundred devices as cheap as one."""
    bench = Bench()
    found = bench.step(
        wide("d1", {"a": [1, 2], "b": [10, 20]}),
        wide("d2", {"a": [5], "b": [50]}),
        series("d3", "temperature", [1, 2, 3]),
    )
    assert found == [("d1", 0, 11), ("d1", 1, 22), ("d2", 0, 55)]
    assert bench.scorer.calls == 1
    assert bench.metrics.value("inference_rows", model="m") == 3


def test_the_series_of_scores_carries_the_models_name() -> None:
    """And the device that the readings came from."""
    derived, _ = Bench().model.step([wide("d1", {"a": [1], "b": [2]})])
    assert derived[0].device == "d1"
    assert derived[0].rows.column(0).to_pylist() == ["model/m/score"]


def test_a_time_whose_features_come_in_two_batches_is_scored_when_it_is_complete() -> None:
    """Senders may send each series by itself."""
    bench = Bench()
    assert bench.step(series("d1", "a", [1, 2])) == []
    assert bench.step(series("d1", "b", [10, 20])) == [("d1", 0, 11), ("d1", 1, 22)]
    assert bench.state == {}


def test_an_unfinished_time_survives_a_restart() -> None:
    """The half that has come is part of the stored state."""
    before = Bench()
    before.step(series("d1", "a", [1, 2]))
    after = Bench(before.state)
    assert after.step(series("d1", "b", [10, 20])) == [("d1", 0, 11), ("d1", 1, 22)]
    assert after.state == {}


def test_a_step_whose_commit_failed_gives_the_same_answer_again() -> None:
    """Nothing is taken over before it is on disk."""
    bench = Bench()
    bench.step(series("d1", "a", [1]))
    batch = [series("d1", "b", [10])]
    first, second = bench.model.step(batch)[0], bench.model.step(batch)[0]
    assert scores(Outcome(first)) == scores(Outcome(second)) == [("d1", 0, 11)]


def test_times_within_the_alignment_make_one_row_at_the_last_of_them() -> None:
    """Sensors that are read one after the other belong together."""
    times = [START + 100_000, START + 300_000, START + 1_100_000]
    found = Bench().step(entry("d1", rows(["a", "b", "a"], times, [1, 10, 2])))
    assert found == [("d1", pytest.approx(0.3), 11)]


def test_readings_that_follow_for_a_time_that_was_scored_are_left_out() -> None:
    """One score a time, however a fast series is cut into batches."""
    bench = Bench()
    times = [START, START + 1, START + 2]
    bench.step(entry("d1", rows(["a", "b", "a"], times, [1, 10, 2])))
    more = [START + 3, START + 4]
    assert bench.step(entry("d1", rows(["a", "b"], more, [3, 30]))) == []


def test_a_time_that_was_scored_is_not_scored_again_after_a_restart() -> None:
    """Of a device that sends more than once a bucket the one that was finished last is stored."""
    bench = Bench()
    for at in (0, 1, SECOND):
        pair = rows(["a", "b"], [START + at, START + at], [1, 10])
        bench.step(entry("d1", pair))
    after = Bench(bench.state)
    late = rows(["a", "b"], [START + SECOND + 1] * 2, [2, 20])
    assert after.step(entry("d1", late)) == []
    following = rows(["a", "b"], [START + 2 * SECOND] * 2, [3, 30])
    assert after.step(entry("d1", following)) == [("d1", 2, 33)]
    assert Bench(after.state).step(entry("d1", following)) == []


def test_times_that_an_older_gateway_has_stored_are_taken_over() -> None:
    """It did not know who sends often."""
    stored = msgspec.msgpack.encode([[START], [[1.0, None]], -1])
    after = Bench({"0:m@1/d1": stored})
    assert after.step(series("d1", "b", [10])) == [("d1", 0, 11)]


def test_a_device_that_sends_once_a_time_costs_no_write() -> None:
    """Its next readings are of another time in any case."""
    bench = Bench()
    for at in range(3):
        bench.step(entry("d1", rows(["a", "b"], [START + at * SECOND] * 2, [1, 10])))
    assert bench.state == {}


def test_a_device_that_never_has_all_features_costs_a_bounded_memory() -> None:
    """The oldest times are given up and counted."""
    bench = Bench()
    surplus = 44
    bench.step(series("d1", "a", [1.0] * (INFERENCE_MAX_PENDING_TIMES + surplus)))
    assert bench.metrics.value("inference_incomplete", model="m") == surplus
    late = bench.step(series("d1", "b", [2.0] * (INFERENCE_MAX_PENDING_TIMES + surplus)))
    assert len(late) == INFERENCE_MAX_PENDING_TIMES
    assert late[0][1] == surplus


def test_only_the_newest_unfinished_times_are_stored() -> None:
    """A device that lacks a feature must not write kilobytes with every step."""
    bench = Bench()
    bench.step(series("d1", "a", [1.0] * 100))
    again = Bench(bench.state)
    found = again.step(series("d1", "b", [2.0] * 100))
    assert len(found) == INFERENCE_STORED_PENDING_TIMES


def test_numbers_that_are_not_finite_do_not_reach_the_model() -> None:
    """The time waits for a number."""
    bench = Bench()
    assert bench.step(wide("d1", {"a": [1, 2], "b": [float("nan"), 20]})) == [("d1", 1, 22)]


def test_a_prefix_says_which_of_a_devices_series_are_the_features() -> None:
    """For devices that carry several machines."""
    bench = Bench(prefix="pump2.")
    assert bench.step(wide("d1", {"pump2.a": [1], "pump2.b": [2], "a": [9], "b": [9]})) == [
        ("d1", 0, 3)
    ]


def test_the_order_of_features_is_the_cards_not_the_batchs() -> None:
    """Columns follow names."""

    class First(SumScorer):
        def score(self, rows: Matrix) -> Scores:
            return np.ascontiguousarray(rows[:, 0])

    bench = Bench()
    bench.model._scorer = First()
    assert bench.step(wide("d1", {"b": [2], "a": [1]})) == [("d1", 0, 1)]
