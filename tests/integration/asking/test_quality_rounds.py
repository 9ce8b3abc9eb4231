"""Which days and devices are judged again, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud_sync.config import Register
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.maintain.maintainer import Maintainer
from cloud_sync.quality import measure
from cloud_sync.quality.measure import Measure
from headrace.clock import ManualClock
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from tests import lakes
from tests.journals import batch
from tests.quality_site import DAY, MINUTE_US, MINUTES, START_US, Site, at


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()


def test_late_readings_have_their_own_day_judged_again_and_no_other(site: Site) -> None:
    """The others keep what was computed then."""
    for day in range(4):
        site.say("pump", range(0, 1_000), day=day)
    site.clock.advance(3 * 86_400)
    assert len(site.round()) == 5  # the day that has just begun, too
    before = {row["date"]: row["computed"] for row in site.rows("device = 'pump'")}
    assert site.keeper.round() == []
    site.clock.advance(600)
    site.say("pump", range(1_000, MINUTES), day=2)
    assert [done.day for done in site.round()] == [DAY + timedelta(days=2)]
    after = {row["date"]: row["computed"] for row in site.rows("device = 'pump'")}
    assert [day for day in before if before[day] != after[day]] == [DAY + timedelta(days=2)]
    assert site.row("pump", 2)["completeness"] == 1.0


def test_a_running_day_is_judged_as_far_as_readings_have_arrived(site: Site) -> None:
    """And to its end once it is over."""
    site.clock = ManualClock(START_US + DAY_US // 2)
    site.keeper = site.judge()
    site.say("pump", range(700))
    site.say("dead", range(500))
    site.round()
    assert (site.row("pump")["completeness"], site.row("dead")["missing"]) == (1.0, 194)
    site.clock.advance(86_400)
    assert [done.day for done in site.keeper.round()] == [DAY, DAY + timedelta(days=1)]
    assert site.row("pump")["missing"] == MINUTES - 700


def test_a_day_in_pieces_is_judged_as_in_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of the pieces; also series that are silent fall into one of them."""
    for number in range(6):
        for name in ("a", "b", "c"):
            site.say(f"pump-{number}", range(number, 300, number + 1), name=name)
            if number % 2:
                site.say(f"pump-{number}", range(0, 300, 7), name=name, day=1)
    site.clock.advance(86_400)
    site.round()
    names = [name for name in measure.COLUMNS.names if name != "computed"]
    whole = [{name: row[name] for name in names} for row in site.rows()]
    keeper = site.judge()
    keeper._measure = Measure(site.config.lake, site.config.quality, chunk_rows=100)
    keeper.round(everything=True)
    assert [{name: row[name] for name in names} for row in site.rows()] == whole


def test_maintenance_and_quality_live_together(site: Site) -> None:
    """Compaction changes no count, replaced files of quality are swept, retention leaves what was judged."""
    for day in range(3):
        site.say("pump", range(MINUTES), day=day)
        site.bring()
        site.keeper.round()
    site.clock.advance(4 * 86_400)
    site.keeper.round()
    config = replace(
        site.config, register=Register(keep_snapshots=1),
        maintain=replace(site.config.maintain, keep_days={"readings": 4}),
    )  # fmt: skip
    maintainer = Maintainer(config, open_store(config.lake), site.clock, Metrics("cloud_sync"))
    for _ in range(3):
        assert not maintainer.round().problems
    before = site.rows()
    assert lakes.ask(site.config.lake, None, "SELECT count(*) AS n FROM readings").to_pylist() == [
        {"n": 2 * MINUTES}
    ]
    assert site.keeper.round() == []
    assert site.rows() == before
    table = open_catalogue(site.config.lake).load_table((NAMESPACE, "quality"))
    files = Path(table.location().removeprefix("file://")).glob("data/**/*.parquet")
    assert len(list(files)) == len({row["date"] for row in before})


def test_a_damaged_day_is_said_and_the_others_are_judged(site: Site) -> None:
    """It is tried again in the next round."""
    site.say("pump", range(MINUTES))
    site.say("pump", range(MINUTES), day=1)
    site.clock.advance(86_400)
    site.bring()
    (file,) = site.config.lake.folder.glob("landing/*/*/*2026-11-22.parquet")
    sound = file.read_bytes()
    file.write_bytes(sound[: len(sound) // 2])
    done = site.keeper.round()
    assert [bool(day.problem) for day in done] == [True, False, False]
    file.write_bytes(sound)
    assert [day.problem for day in site.keeper.round()] == [""]


def assert_as_a_whole(site: Site, *days: int) -> None:
    """Rows of days are what they are when these days are judged as a whole."""
    chosen = [DAY + timedelta(days=day) for day in days]
    found = plain(site, chosen)
    site.judge().round(only=chosen)
    assert found == plain(site, chosen)


def plain(site: Site, days: list[date]) -> list[dict[str, Any]]:
    return [
        {name: row[name] for name in row if name != "computed"}
        for row in site.rows()
        if row["date"] in days
    ]


def test_late_readings_of_a_device_have_that_device_judged_again(site: Site) -> None:
    """The rows of others are taken over as they were, to the time when they were computed."""
    for number in range(5):
        site.say(f"pump-{number}", range(1_000 if number == 3 else MINUTES))
    site.round()
    before = {row["device"]: row["computed"] for row in site.rows(f"date = DATE '{DAY}'")}
    site.clock.advance(600)
    site.say("pump-3", range(1_000, MINUTES))
    (done,) = site.round()
    assert (done.day, done.series, done.readings, done.devices) == (DAY, 5, 5 * MINUTES, 1)
    after = {row["device"]: row["computed"] for row in site.rows(f"date = DATE '{DAY}'")}
    assert [device for device in before if before[device] != after[device]] == ["pump-3"]
    assert_as_a_whole(site, 0)


def test_a_running_day_by_devices_is_what_it_is_as_a_whole(site: Site) -> None:
    """Some speak, some are silent for hours or all day, some begin late, one is irregular; round after round."""
    random = np.random.default_rng(0)
    for number in range(8):
        site.say(f"pump-{number}", range(0, MINUTES, number + 1))
    site.say("door", np.sort(random.integers(0, MINUTES, 200)))
    site.round()
    site.clock = ManualClock(START_US + DAY_US + 6 * 3_600_000_000)
    site.keeper = site.judge()
    told = []
    for hour in range(3):
        start = 60 * hour
        for number in range(9):
            if number == hour or (number < 7 and random.random() < 0.3):
                minutes = start + np.sort(random.integers(0, 60, 1 + 5 * number))
                site.say(
                    f"pump-{number}",
                    minutes,
                    day=1,
                    received_at=START_US + DAY_US + (start + 60) * MINUTE_US,
                )
        told += [done.devices for done in site.round() if done.day > DAY]
        assert_as_a_whole(site, 1)
        site.clock.advance(60)
    assert told[0] is None  # nothing said then up to when the day before any reading was judged
    assert all(0 < devices < 5 for devices in told[1:])


def test_a_device_that_dies_is_missed_without_being_looked_at_again(site: Site) -> None:
    """On a running day each round says how long it has been silent, from its row alone."""
    site.clock = ManualClock(START_US + DAY_US // 2)
    site.keeper = site.judge()
    for device in ("pump", "dead", "other"):
        site.say(device, range(300))
    site.round()
    site.say("pump", range(300, 700))
    (done,) = site.round()
    assert (done.devices, site.row("dead")["missing"], site.row("dead")["gaps"]) == (1, 394, 1)
    assert site.row("dead")["longest_gap_start"] == at(299)
    assert site.row("dead")["longest_gap_s"] == 395 * 60.0


def test_a_whole_day_is_judged_where_it_is_not_known_what_came(site: Site) -> None:
    """Landed files are gone; something else than a landing has changed the day; odd times have come."""
    for number in range(3):
        site.say(f"pump-{number}", range(MINUTES))
    site.round()
    site.say("pump-0", [0.5])
    site.bring()
    maintainer = Maintainer(
        replace(site.config, register=Register(keep_snapshots=1)),
        open_store(site.config.lake), site.clock, Metrics("cloud_sync"),
    )  # fmt: skip
    for _ in range(3):
        assert not maintainer.round().problems
    assert [(done.readings, done.devices) for done in site.keeper.round()] == [
        (3 * MINUTES + 1, None)
    ]
    table = open_catalogue(site.config.lake).load_table((NAMESPACE, "readings"))
    table.append(table.scan(limit=1).to_arrow())
    site.say("pump-1", [0.5])
    assert [done.devices for done in site.round()] == [None]
    site.journal.append(
        "clock", batch(["flow"] * 3, [0, 1, 2], [1.0] * 3), received_at=START_US + MINUTE_US
    )
    site.say("pump-1", [1.5])
    assert [done.devices for done in site.round()] == [None]
    site.say("pump-1", [2.5])
    assert [done.devices for done in site.round()] == [1]
    assert_as_a_whole(site, 0)


def test_a_round_that_was_not_whole_is_not_gone_by(site: Site) -> None:
    """What a damaged day lacked is looked for again; days that were done are not judged twice."""
    site.say("pump", range(MINUTES))
    site.say("pump", range(600), day=1)
    site.clock.advance(86_400)
    site.round()
    site.say("fan", range(MINUTES))
    site.say("fan", range(MINUTES), day=1)
    site.bring()
    (file,) = site.config.lake.folder.glob("landing/*/*/*04.2026-11-23.parquet")
    sound = file.read_bytes()
    file.write_bytes(sound[: len(sound) // 2])
    assert [bool(done.problem) for done in site.keeper.round()] == [False, True]
    file.write_bytes(sound)
    assert [(done.day, done.problem) for done in site.keeper.round()] == [
        (DAY + timedelta(days=1), "")
    ]
    assert_as_a_whole(site, 0, 1)
