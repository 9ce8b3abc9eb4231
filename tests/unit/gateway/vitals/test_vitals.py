"""The gateway's own readings: alerts as numbers, looks in time, and what survives a restart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.consumer import Derived, Outcome
from gateway.feed import Entry
from gateway.vitals.consumer import VitalsConsumer
from gateway.vitals.look import UNITS, Look, device_of
from headrace.derived import Alert, AlertState, Severity, alert_name, encode_alert
from headrace.errors import StorageError
from headrace.metrics import Metrics
from tests.gateway_entries import SECOND, START, entry, rows, series

Said = dict[tuple[str, str], float | str]


class Window:
    """Looks that a test has arranged; fails on demand."""

    def __init__(self) -> None:
        self.elapsed: list[float] = []
        self.failing = False

    def look(self, now_us: int, elapsed_s: float) -> Look:
        if self.failing:
            raise StorageError("the journal is away")
        self.elapsed.append(elapsed_s)
        return Look({"journal_bytes": 7.0}, {"pump-1": {"silent_s": 1.5}})


def vitals(window: Window, state: Mapping[str, bytes] | None = None, at_s: float = 0) -> VitalsConsumer:  # fmt: skip
    consumer = VitalsConsumer(site="plant", interval_s=30, source=window)
    consumer.restore(state or {}, at(at_s))
    return consumer


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def transition(
    state: AlertState, seconds: float, *, series: str = "x", severity: Severity = "critical"
) -> Entry:
    alert = Alert(state, severity, series, START, summary="too hot")
    return entry("pump-1", rows([alert_name("hot")], [at(seconds)], [encode_alert(alert)]))


def step(consumer: VitalsConsumer, entries: Sequence[Entry], seconds: float) -> Outcome:
    outcome = consumer.step(entries, at(seconds))
    consumer.committed(outcome)
    return outcome


def said(derived: Sequence[Derived]) -> Said:
    """(device, name without the prefix) → value or text, the last one."""
    return {
        (one.device, row["name"].removeprefix("gateway/")): row["text"] or row["value"]
        for one in derived
        for row in one.rows.to_pylist()
    }


def test_a_look_is_taken_each_interval_and_not_at_the_start() -> None:
    """A gateway that restarts over and over must not fill its journal with itself."""
    window = Window()
    consumer = vitals(window)
    assert step(consumer, [], 29).derived == ()
    assert said(step(consumer, [], 30).derived) == {
        ("gateway-plant", "journal_bytes"): 7.0,
        ("pump-1", "silent_s"): 1.5,
    }
    assert step(consumer, [], 59).derived == ()
    assert step(consumer, [], 61).derived
    assert window.elapsed == [30, 31]


def test_readings_carry_their_units() -> None:
    """So that the lake's series view knows them like those of devices."""
    own, pump = step(vitals(Window()), [], 30).derived
    assert own.units == {"gateway/journal_bytes": "B"}
    assert pump.units == {"gateway/silent_s": "s"}


def test_a_clock_that_was_set_back_does_not_silence_the_gateway() -> None:
    """Otherwise it would be mute until the clock is where it was."""
    consumer = vitals(Window(), at_s=1_000)
    assert step(consumer, [], 10).derived
    assert step(consumer, [], 20).derived == ()


def test_a_step_that_is_repeated_gives_the_same_answer() -> None:
    """Nothing is taken over before it is on disk."""
    window = Window()
    consumer = vitals(window)
    fires = transition("firing", 29)
    first = said(consumer.step([fires], at(30)).derived)
    assert said(consumer.step([fires], at(30)).derived) == first
    window.failing = True
    with pytest.raises(StorageError):
        consumer.step([fires], at(30))
    window.failing = False
    assert said(step(consumer, [fires], 30).derived) == first


def test_an_alert_is_a_number_while_it_fires_and_zero_when_it_is_over() -> None:
    """Said at the transition and again at each look: the newest value is always young."""
    consumer = vitals(Window())
    fired = said(step(consumer, [transition("firing", 1)], 2).derived)
    assert fired == {
        ("pump-1", "firing/critical/hot"): 1.0,
        ("pump-1", "said/hot"): "hot firing: too hot",
    }
    assert said(step(consumer, [], 31).derived)["pump-1", "firing/critical/hot"] == 1.0
    ended = said(step(consumer, [transition("resolved", 32)], 33).derived)
    assert ended["pump-1", "firing/critical/hot"] == 0.0
    assert ("pump-1", "firing/critical/hot") not in said(step(consumer, [], 62).derived)


def test_series_of_one_rule_are_counted() -> None:
    """One rule with a pattern for its series has an alert for each."""
    consumer = vitals(Window())
    both = [transition("firing", 1, series="a"), transition("firing", 1, series="b")]
    assert said(step(consumer, both, 2).derived)["pump-1", "firing/critical/hot"] == 2.0
    one_ends = [transition("resolved", 3, series="a")]
    assert said(step(consumer, one_ends, 4).derived)["pump-1", "firing/critical/hot"] == 1.0


def test_pending_is_not_firing() -> None:
    """Nor is a pending alert that came to nothing."""
    consumer = vitals(Window())
    entries = [transition("pending", 1), transition("inactive", 2)]
    assert step(consumer, entries, 3).derived == ()


def test_an_alert_whose_severity_was_changed_ends_under_the_old_one() -> None:
    """Otherwise its number would stay for ever."""
    consumer = vitals(Window())
    step(consumer, [transition("firing", 1)], 2)
    ended = said(step(consumer, [transition("resolved", 3, severity="info")], 4).derived)
    assert ended["pump-1", "firing/critical/hot"] == 0.0


def test_an_end_that_is_older_than_the_last_look_has_the_last_word() -> None:
    """Its reading is said at the time of that look, which had still counted it."""
    consumer = vitals(Window())
    step(consumer, [transition("firing", 1)], 2)
    step(consumer, [], 31)
    (ended,) = step(consumer, [transition("resolved", 30)], 32).derived
    times = dict(
        zip(ended.rows.column("name").to_pylist(), ended.rows.column("time").cast("int64").to_pylist(), strict=True)
    )  # fmt: skip
    assert times["gateway/firing/critical/hot"] == at(31)
    assert times["gateway/said/hot"] == at(30)


def test_what_fires_survives_a_restart() -> None:
    """As state in the transaction of the cursor."""
    before = vitals(Window())
    stored = step(before, [transition("firing", 1)], 2).state
    after = vitals(Window(), {key: value for key, value in stored.items() if value}, at_s=10)
    assert said(step(after, [], 40).derived)["pump-1", "firing/critical/hot"] == 1.0
    ended = step(after, [transition("resolved", 41)], 42)
    assert list(ended.state.values()) == [None]


def test_readings_of_devices_and_texts_that_are_no_alerts_pass_by() -> None:
    """An older gateway let devices use the name."""
    consumer = vitals(Window())
    odd = entry("pump-1", rows([alert_name("hot")], [START], ["not JSON"]))
    assert step(consumer, [series("pump-1", "flow", [1.0] * 5), odd], 1).derived == ()


def test_a_site_with_a_long_name_still_makes_a_device_id() -> None:
    """64 characters at most."""
    assert device_of("s" * 64) == ("gateway-" + "s" * 64)[:64]


def test_the_page_lists_every_series() -> None:
    """docs/gateway.md, against the table of units, which has all but those that have none."""
    page = (Path(__file__).parents[4] / "docs" / "gateway.md").read_text(encoding="utf-8")
    section = page.split("## Vitals")[1].split("\n## ")[0]
    listed = set(re.findall(r"`(?:gateway/)?([a-z_]+)(?:/<[^`]*)?`", section)) - {"gateway", "alert", "model"}  # fmt: skip
    assert listed == {*UNITS, "broker_connected", "online", "said", "certificate_days"}


def test_a_gauge_is_read_for_all_its_labels_at_once():
    """To ask for each of a thousand devices went through all metrics each time: 2.5 s of CPU a look."""
    metrics = Metrics("gateway")
    for device, gap in (("pump-1", 3.0), ("pump-2", 4.0)):
        metrics.set("gap_readings", gap, device=device)
    metrics.set("clock_offset_seconds", 9.0, device="pump-1")
    assert metrics.by_label("gap_readings", "device") == {"pump-1": 3.0, "pump-2": 4.0}
