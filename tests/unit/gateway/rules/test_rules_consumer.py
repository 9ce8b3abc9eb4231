from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.consumer import Outcome
from gateway.feed import Entry
from gateway.rules.config import RuleConfig
from gateway.rules.consumer import RulesConsumer
from headrace.derived import Alert, decode_alert
from headrace.metrics import Metrics
from tests.gateway_entries import SECOND, START, entry, rows, series

HOT = RuleConfig(
    name="hot", kind="threshold", series="temp*", value=80, for_s=3, severity="critical"
)
SILENT = RuleConfig(name="silent", kind="silence", for_s=30)


class Site:
    """A rules consumer with a runner's manners: state is kept, and handed back at a restart."""

    def __init__(self, *rules: RuleConfig) -> None:
        self.rules = rules
        self.state: dict[str, bytes] = {}
        self.metrics = Metrics("gateway")
        self.restart(0)

    def restart(self, at_s: float, rules: Sequence[RuleConfig] | None = None) -> None:
        now = START + round(at_s * SECOND)
        self.consumer = RulesConsumer(self.rules if rules is None else rules, self.metrics, now)
        self.consumer.restore(dict(self.state), now)

    def step(self, *entries: Entry, at_s: float = 0.0) -> list[tuple[str, str, Alert]]:
        """(device, rule, alert) of each transition."""
        outcome = self.consumer.step(entries, START + round(at_s * SECOND))
        if entries or outcome != Outcome():  # an idle look that says nothing is not committed
            self.commit(outcome)
        return said(outcome)

    def commit(self, outcome: Outcome) -> None:
        for key, value in outcome.state.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.consumer.committed(outcome)

    def tick(self, *, until_s: float, since_s: float) -> list[tuple[str, str, Alert]]:
        """A look every 5 s with nothing arriving."""
        found = []
        at = since_s
        while at <= until_s:
            found += self.step(at_s=at)
            at += 5
        return found


def said(outcome: Outcome) -> list[tuple[str, str, Alert]]:
    return [
        (one.device, row["name"].removeprefix("alert/"), decode_alert(row["text"]))
        for one in outcome.derived
        for row in one.rows.to_pylist()
    ]


def states(found: list[tuple[str, str, Alert]]) -> list[tuple[str, str]]:
    return [(device, alert.state) for device, _, alert in found]


def test_an_alert_says_what_when_and_how_bad() -> None:
    """The text of an alert reading is all that a person or the lake needs."""
    site = Site(HOT)
    found = site.step(series("pump-1", "temp", [70, 85, 86, 87, 88, 75]))
    assert [alert.state for _, _, alert in found] == ["pending", "firing", "resolved"]
    device, rule, resolved = found[-1]
    assert (device, rule) == ("pump-1", "hot")
    assert resolved.severity == "critical"
    assert resolved.series == "temp"
    assert (resolved.started, resolved.ended) == (START + 1 * SECOND, START + 5 * SECOND)
    assert resolved.value == 75
    assert resolved.summary == "pump-1: temp is 75, limit 80"
    assert site.metrics.value("alerts", rule="hot", state="firing") == 1


def test_each_series_of_each_device_has_an_alert_of_its_own() -> None:
    """Globs widen a rule, they do not mix what it watches."""
    site = Site(HOT)
    found = site.step(
        series("a", "temp1", [90] * 5), series("a", "temp2", [10] * 5), series("b", "temp1", [90])
    )
    assert [(device, alert.series, alert.state) for device, _, alert in found] == [
        ("a", "temp1", "pending"),
        ("a", "temp1", "firing"),
        ("b", "temp1", "pending"),
    ]


def test_a_pending_alert_survives_a_restart_and_fires_on_time() -> None:
    """The time that the condition has held is not forgotten."""
    site = Site(HOT)
    site.step(series("a", "temp", [90, 90]))
    site.restart(2)
    assert states(site.step(series("a", "temp", [90, 90], start_s=2))) == [("a", "firing")]


def test_a_firing_alert_survives_a_restart_and_is_not_said_again() -> None:
    """Only its end is news."""
    site = Site(HOT)
    site.step(series("a", "temp", [90] * 5))
    site.restart(5)
    assert site.step(series("a", "temp", [90], start_s=5)) == []
    assert states(site.step(series("a", "temp", [10], start_s=6))) == [("a", "resolved")]
    assert not [key for key in site.state if key.startswith("alert:")]


def test_a_step_whose_commit_failed_gives_the_same_answer_again() -> None:
    """Nothing is taken over before it is on disk."""
    site = Site(HOT)
    batch = series("a", "temp", [90] * 5)
    first = site.consumer.step([batch], START)
    second = site.consumer.step([batch], START)
    assert said(first) == said(second)
    assert [one.state for _, _, one in said(first)] == ["pending", "firing"]


def test_late_readings_do_not_touch_an_alert() -> None:
    """The past is not judged again: a backlog fills the lake, it does not wake people up."""
    site = Site(HOT)
    site.step(series("a", "temp", [90] * 5, start_s=100))
    assert site.step(series("a", "temp", [10] * 50, start_s=0, received_s=106)) == []


def test_out_of_order_readings_within_a_batch_are_judged_in_order() -> None:
    """A batch may hold readings in any order."""
    site = Site(HOT)
    times = [START + at * SECOND for at in (4, 2, 0, 3, 1)]
    found = site.step(entry("a", rows(["temp"] * 5, times, [90, 90, 70, 90, 90])))
    assert [(one.state, one.started - START) for _, _, one in found] == [
        ("pending", SECOND),
        ("firing", SECOND),
    ]


def test_alerts_of_a_rule_that_was_removed_end_at_the_restart() -> None:
    """Otherwise they would fire for ever."""
    site = Site(HOT)
    site.step(series("a", "temp", [90] * 5))
    site.restart(10, rules=[])
    found = site.step(at_s=11)
    assert states(found) == [("a", "resolved")]
    assert site.step(at_s=12) == []
    assert site.state == {}


def test_a_score_rule_judges_the_scores_of_its_model() -> None:
    """Scores come back through the journal like any reading."""
    rule = RuleConfig(name="odd", kind="score", model="pump", value=17.0)
    found = Site(rule).step(series("a", "model/pump/score", [1, 2, 40]))
    assert states(found) == [("a", "firing")]


def test_a_star_means_what_devices_send_not_what_the_gateway_made_of_it() -> None:
    """Otherwise a rule on everything would judge scores, too."""
    rule = RuleConfig(name="any", kind="threshold", series="*", value=10)
    assert Site(rule).step(series("a", "model/pump/score", [40])) == []


def test_a_device_that_falls_silent_raises_an_alert_and_its_return_ends_it() -> None:
    """Silence starts when the device was heard last."""
    site = Site(SILENT)
    site.step(series("a", "x", [1], received_s=2), at_s=2)
    assert site.tick(since_s=5, until_s=30) == []
    found = site.tick(since_s=35, until_s=60)
    assert states(found) == [("a", "firing")]
    assert found[0][2].started == START + 2 * SECOND
    assert found[0][2].summary == "a: nothing heard for 33 s"
    back = site.step(series("a", "x", [1], received_s=62), at_s=62)
    assert states(back) == [("a", "resolved")]
    assert back[0][2].ended == START + 62 * SECOND


def test_a_gateway_that_was_down_does_not_take_its_own_absence_for_silence() -> None:
    """Devices get for_s from the start of the gateway on."""
    site = Site(SILENT)
    site.step(series("a", "x", [1], received_s=1), at_s=1)
    site.restart(10_000)
    assert site.tick(since_s=10_000, until_s=10_025) == []
    assert states(site.tick(since_s=10_030, until_s=10_030)) == [("a", "firing")]


def test_a_clock_that_jumps_is_not_silence_of_every_device() -> None:
    """A gateway without a clock chip gets the time minutes after its start."""
    site = Site(SILENT)
    site.step(series("a", "x", [1], received_s=1), at_s=1)
    assert site.step(at_s=5_000_000) == []


YEAR_S = 365 * 86_400


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_was_a_year_ahead_leaves_no_rule_blind(restarted: bool) -> None:
    """Firmware without a clock has its readings stamped at the gateway."""
    site = Site(HOT)
    hot = site.step(
        series("a", "temp", [90] * 5, start_s=YEAR_S, received_s=YEAR_S + 5),
        at_s=YEAR_S + 5,
    )
    assert states(hot)[-1] == ("a", "firing")
    if restarted:
        site.restart(10)
    calm = site.step(series("a", "temp", [20], start_s=11, received_s=11), at_s=11)
    assert states(calm) == [("a", "resolved")]
    if not restarted:  # then nobody can tell which of the two clocks was wrong
        assert calm[0][2].started <= calm[0][2].ended
    again = site.step(series("a", "temp", [90] * 5, start_s=12, received_s=17), at_s=17)
    assert states(again)[-1] == ("a", "firing")


def test_a_clock_that_was_a_year_ahead_hides_no_silence() -> None:
    """A device that was heard then is silent after for_s like any."""
    site = Site(SILENT)
    site.step(series("a", "x", [1], received_s=YEAR_S), at_s=YEAR_S)
    assert site.tick(since_s=5, until_s=30) == []
    assert states(site.tick(since_s=35, until_s=40)) == [("a", "firing")]


def test_an_idle_site_commits_nothing() -> None:
    """A look a second must not cost an fsync a second."""
    site = Site(HOT, SILENT)
    site.step(series("a", "temp", [90, 90], received_s=2), at_s=2)
    assert site.consumer.step([], START + 3 * SECOND) == Outcome()


def test_a_silence_alert_survives_a_restart_and_ends_when_the_device_returns() -> None:
    """It is neither said twice nor lost."""
    site = Site(SILENT)
    site.step(series("a", "x", [1], received_s=1), at_s=1)
    site.tick(since_s=5, until_s=35)
    site.restart(100)
    assert site.tick(since_s=100, until_s=150) == []
    back = site.step(series("a", "x", [1], received_s=151), at_s=151)
    assert states(back) == [("a", "resolved")]


def test_results_of_the_gateway_do_not_count_as_a_sign_of_life() -> None:
    """A score that was late is not the device's voice."""
    site = Site(SILENT)
    site.step(series("a", "x", [1], received_s=1), at_s=1)
    site.tick(since_s=5, until_s=30)
    found = site.step(series("a", "model/pump/score", [1], received_s=31), at_s=31)
    assert states(found) == [("a", "firing")]


@pytest.mark.parametrize("count", [1, 5_000])
def test_the_work_grows_with_changes_not_with_readings(count: int) -> None:
    """A long calm batch gives one transition, however many readings it has."""
    found = Site(HOT).step(series("a", "temp", [90.0] * count, step_s=0.001))
    assert [alert.state for _, _, alert in found][:1] == ["pending"]
    assert len(found) == (1 if count == 1 else 2)


def test_a_reload_forgets_neither_who_was_heard_nor_since_when_we_listen() -> None:
    """A restart has to listen anew for 30 s; rules that were exchanged while listening do not."""
    site = Site(SILENT)
    site.step(entry("pump", rows(["flow"], [START], [1.0])), at_s=0)
    site.tick(since_s=1, until_s=21)
    before = site.consumer
    site.restart(22)
    site.consumer.take_over(before)
    assert site.tick(since_s=22, until_s=27) == []
    (found,) = site.tick(since_s=30.5, until_s=31)
    assert found[:2] == ("pump", "silent")
