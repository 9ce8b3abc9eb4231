"""Quality of readings by day: what is missing, strange, late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from cloud_sync.config import Expected
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.quality import days, keeper
from tests.journals import batch
from tests.quality_site import DAY, MINUTE_US, MINUTES, START_US, Site, at


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()


def test_a_whole_day_is_complete_and_a_hole_in_it_is_named(site: Site) -> None:
    """How much is missing, how many gaps, which is the longest; single readings are no gap."""
    site.say("whole", range(MINUTES))
    gone = {100, 200, 300, *range(600, 720), *range(900, 910)}
    site.say("holes", [minute for minute in range(MINUTES) if minute not in gone])
    done, _today = site.round()
    assert (done.day, done.series, done.readings, done.incomplete) == (DAY, 2, 2 * MINUTES - 133, 1)
    whole, holes = site.row("whole"), site.row("holes")
    assert site.metrics.value("incomplete_series") == 1
    assert (whole["completeness"], whole["missing"], whole["gaps"]) == (1.0, 0, 0)
    assert (whole["interval_s"], whole["longest_gap_s"]) == (60.0, None)
    assert whole["hours"] == [60] * 24
    assert (holes["missing"], holes["gaps"]) == (133, 2)
    assert holes["completeness"] == pytest.approx(1 - 133 / MINUTES)
    assert holes["longest_gap_s"] == 121 * 60.0
    assert holes["longest_gap_start"] == at(599)
    assert holes["gap_s"] == (121 + 11) * 60.0


def test_a_series_that_dies_is_missed_to_the_end_of_the_day_and_some_days_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is missing before its first reading."""
    monkeypatch.setattr(days, "USUAL_DAYS", 3)
    monkeypatch.setattr(keeper, "USUAL_DAYS", 3)
    site.say("pump", range(600, 900))
    site.say("other", range(MINUTES))
    site.clock.advance(6 * 86_400)
    assert len(site.round()) == 4
    first, silent = site.row("pump"), site.row("pump", 1)
    assert (first["missing"], first["gaps"]) == (MINUTES - 900, 1)
    assert (first["longest_gap_start"], first["longest_gap_s"]) == (at(899), 541 * 60.0)
    assert (silent["readings"], silent["completeness"], silent["missing"]) == (0, 0.0, MINUTES)
    assert (silent["longest_gap_start"], silent["gap_s"]) == (at(0, 1), 86_400.0)
    assert len(site.rows("device = 'pump'")) == 4


def test_the_usual_interval_counts_and_not_that_of_a_bad_day(site: Site) -> None:
    """A day that lost every second reading is half a day, unless the configuration says that this is right."""
    site.say("pump", range(MINUTES))
    site.say("pump", range(0, MINUTES, 2), day=1)
    site.clock.advance(86_400)
    site.round()
    found = site.row("pump", 1)
    assert (found["observed_s"], found["interval_s"]) == (120.0, 60.0)
    assert found["completeness"] == pytest.approx(0.5, abs=0.001)
    rule = Expected(device="pu*", interval_s=120.0)
    site.judge(expected=(rule,)).round(only=[DAY + timedelta(days=1)])
    assert site.row("pump", 1)["completeness"] == 1.0


def test_a_series_that_speaks_when_it_likes_is_not_judged(site: Site) -> None:
    """Neither found incomplete nor missed when it is silent; one that is told to is not either."""
    steps = np.random.default_rng(1).pareto(0.7, 500) + 0.01
    minutes = np.cumsum(steps)
    site.say("door", minutes[minutes < MINUTES])
    site.say("pump", [0, 500, 1_000])
    site.say("fan", range(0, MINUTES, 3))
    site.bring()
    site.judge(expected=(Expected(device="fan", interval_s=0.0),)).round()
    for device in ("door", "pump", "fan"):
        assert (site.row(device)["interval_s"], site.row(device)["completeness"]) == (None, None)
        assert site.row(device)["gaps"] is None


def test_values_far_from_the_rest_are_found_and_states_are_left_alone(site: Site) -> None:
    """By median and MAD: a tenth of the values being wild hides none of them."""
    values = np.random.default_rng(2).normal(20.0, 0.5, MINUTES)
    values[::10] = 5_000.0
    values[77] = -9_999.0
    site.say("wild", range(MINUTES), values=values)
    site.say("valve", range(MINUTES), values=[float(minute % 50 == 0) for minute in range(MINUTES)])
    site.say("broken", range(MINUTES), values=[float("nan"), float("inf"), *[1.0] * (MINUTES - 2)])
    site.round()
    wild, valve, broken = (site.row(device) for device in ("wild", "valve", "broken"))
    assert (wild["outliers"], wild["outlier_value"], wild["outlier_time"]) == (
        145,
        -9_999.0,
        at(77),
    )
    assert wild["median"] == pytest.approx(20.1, abs=0.1)
    assert (valve["outliers"], valve["distinct_values"]) == (None, 2)
    assert (broken["not_finite"], broken["maximum"]) == (2, 1.0)


def test_a_value_that_does_not_move_is_timed(site: Site) -> None:
    """From the first to the last of the equal ones."""
    values = np.random.default_rng(3).normal(20.0, 0.5, MINUTES)
    values[300:480] = 20.0
    site.say("stuck", range(MINUTES), values=values)
    site.round()
    assert (site.row("stuck")["flat_s"], site.row("stuck")["flat_start"]) == (179 * 60.0, at(300))


def test_repetitions_conflicts_clocks_units_and_texts_are_counted(site: Site) -> None:
    """Each in a column of its own."""
    minutes = [*range(MINUTES), 5, 6, 7]
    values = [*map(float, range(MINUTES)), 5.0, 99.0, 7.0]
    site.say("twice", minutes, values=values)
    site.say("early", range(100), received_at=START_US + 50 * MINUTE_US, clock="unsynced")
    site.say("late", range(100), received_at=START_US + DAY_US, clock="")
    site.say("units", range(50), units={"flow": "m3/s"})
    site.say("units", range(50, 100), units={"flow": "l/s"})
    rows = batch(["flow"] * 2, [START_US, START_US + 1], [1.0, None], [None, "off"])
    site.journal.append("mixed", rows)
    site.round()
    twice = site.row("twice")
    assert (twice["duplicates"], twice["conflicts"], twice["completeness"]) == (2, 1, 1.0)
    early, late = site.row("early"), site.row("late")
    assert (early["unsynced"], early["ahead"]) == (100, 49)
    assert (late["clockless"], late["late_s"]) == (100, 86_400.0)
    assert (site.row("units")["units"], site.row("units")["unit"]) == (2, "l/s")
    assert (site.row("mixed")["texts"], site.row("mixed")["readings"]) == (1, 2)


def test_odd_times_count_on_the_day_of_their_arrival(site: Site) -> None:
    """A device in 1970 is remarked, although it has no reading of that day."""
    site.say("pump", range(MINUTES))
    site.journal.append(
        "clock", batch(["flow"] * 3, [0, 1, 2], [1.0] * 3), received_at=START_US + MINUTE_US
    )
    site.round()
    assert (site.row("clock")["readings"], site.row("clock")["odd"]) == (0, 3)
    assert site.keeper.round() == []
