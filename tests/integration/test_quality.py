"""Quality of readings by day: what is missing, strange, late, and what is judged again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cloud_sync import cli as cloud_sync_cli
from cloud_sync.config import Expected, Maintain, Quality, Register
from cloud_sync.lake.repairs import Repairs
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.maintain.maintainer import Maintainer
from cloud_sync.quality import days, keeper, measure
from cloud_sync.quality.keeper import DayDone, QualityKeeper
from cloud_sync.quality.measure import Measure
from cloud_sync.raw import files as raw
from headrace import cli
from headrace.clock import ManualClock
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from headrace.lake.opening import open_store
from headrace.landing import manifest_name
from headrace.metrics import Metrics
from headrace.query.ask import Questions
from headrace.query.config import Place
from tests import lakes
from tests.journals import Journal, batch

MINUTE_US = 60_000_000
DAY = date(2026, 11, 22)
START_US = round(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1_000_000
MINUTES = 1_440


class Site:
    """A site whose series speak once a minute."""

    def __init__(self, folder: Path, **quality: Any) -> None:
        self.config = replace(
            lakes.settings(folder),
            quality=Quality(**quality),
            maintain=Maintain(level=3, grace_s=0.0),
        )
        self.clock = ManualClock(START_US + DAY_US + 2 * 3_600_000_000)
        self.journal = Journal(self.config.journal.path)
        self.path = lakes.pipeline(self.config)
        self.metrics = Metrics("cloud_sync")
        self.keeper = self.judge()

    def judge(self, **quality: Any) -> QualityKeeper:
        config = replace(self.config, quality=replace(self.config.quality, **quality))
        return QualityKeeper(config, self.clock, self.metrics)

    def say(
        self, device: str, minutes: Sequence[int] | np.ndarray, *, name: str = "flow", day: int = 0,
        values: Sequence[float] | np.ndarray | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """Readings at these minutes of a day; noise where no values are given."""
        times = START_US + day * DAY_US + np.asarray(minutes) * MINUTE_US
        if values is None:
            values = np.random.default_rng(len(times)).normal(20.0, 1.0, len(times))
        rows = batch([name] * len(times), times.tolist(), np.asarray(values).tolist())
        self.journal.append(device, rows, **more)

    def bring(self) -> None:
        self.path.land()
        self.path.register()

    def round(self) -> list[DayDone]:
        self.bring()
        return self.keeper.round()

    def rows(self, where: str = "true") -> list[dict[str, Any]]:
        questions = Questions(Place(self.config.lake, None))
        try:
            sql = f"SELECT * FROM quality WHERE {where} ORDER BY date, device, name"
            with questions.ask(sql) as answer:
                return answer.reader.read_all().to_pylist()
        finally:
            questions.close()

    def row(self, device: str, day: int = 0) -> dict[str, Any]:
        (found,) = self.rows(f"device = '{device}' AND date = DATE '{DAY + timedelta(days=day)}'")
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()


def at(minute: int, day: int = 0) -> datetime:
    return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(days=day, minutes=minute)


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


def test_the_commands_judge_and_report(site: Site, tmp_path: Path) -> None:
    """A page that needs nothing else, and all remarks as JSON; names from devices are text in it."""
    wild = np.random.default_rng(2).normal(20.0, 0.5, MINUTES)
    wild[9] = 999.0
    site.say(
        "pump", [minute for minute in range(MINUTES) if not 600 < minute < 700], values=wild[:1341]
    )
    site.say("fan", range(MINUTES), name="<script>alert(1)</script>")
    site.bring()
    settings = ["--data", str(tmp_path)]
    run = CliRunner().invoke(
        cloud_sync_cli.main, ["quality", *settings, "--day", str(DAY), "--json"]
    )
    assert (run.exit_code, json.loads(run.stdout)[0]["series"]) == (0, 2), run.output
    out = tmp_path / "report.html"
    run = CliRunner().invoke(cli.main, ["quality", "report", *settings, "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert "1 incomplete, 1 outliers" in run.output
    page = out.read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "the longest 1 h 40 min from 10:00:00 on" in page
    assert "<script>" not in page
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    run = CliRunner().invoke(
        cli.main, ["quality", "report", *settings, "--from", str(DAY), "--to", str(DAY), "--json"]
    )
    told = json.loads(run.stdout)
    assert [each["kind"] for each in told["remarks"]] == ["incomplete", "outliers"]
    assert told["totals"]["missing"] == 99


def test_what_is_in_quarantine_stands_in_the_report(site: Site, tmp_path: Path) -> None:
    """Landings that were given up, and refused payloads of its days where they are kept."""
    site.say("pump", range(MINUTES))
    site.round()
    store = open_store(site.config.lake)
    Repairs(store).give_up(manifest_name("test", "ab" * 8, 7, 9), "it burnt", rows=120)
    for day, device in ((DAY, "rude"), (DAY + timedelta(days=9), "later")):
        refused = [
            raw.Payload(
                "quarantined",
                number,
                START_US,
                device,
                "",
                0,
                0,
                0,
                "line",
                b"?",
                reason="bad_value",
            )
            for number in range(5)
        ]
        place = raw.path("test", "ab" * 8, str(day), 1, 5, quarantine=True)
        store.put(place, raw.encode(refused))
    out = tmp_path / "report.html"
    words = ["quality", "report", "--data", str(tmp_path), "--to", str(DAY)]
    run = CliRunner().invoke(cli.main, [*words, "--json"])
    told = json.loads(run.stdout)["refused"]
    assert told["given_up"] == [
        {"site": "test", "first": 7, "last": 9, "readings": 120, "why": "it burnt"}
    ]
    (payloads,) = told["payloads"]
    assert (payloads["device"], payloads["reason"], payloads["payloads"]) == (
        "rude",
        "bad_value",
        5,
    )
    assert CliRunner().invoke(cli.main, [*words, "--out", str(out)]).exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert "it burnt" in page
    assert "5 payloads" in page


def test_the_commands_say_what_they_cannot_do(tmp_path: Path) -> None:
    """Status 2, with what to do."""
    (tmp_path / "lake").mkdir()
    for program, words, said in (
        (cli.main, ["quality", "report", "--data", str(tmp_path)], "no table of quality yet"),
        (cli.main, ["quality", "report", "--from", "yesterday"], "expected YYYY-MM-DD"),
        (cloud_sync_cli.main, ["quality", "--day", "x"], "expected YYYY-MM-DD"),
        (cloud_sync_cli.main, ["quality", "--day", "2026-11-22", "--all"], "exclude each other"),
    ):
        run = CliRunner().invoke(program, words)
        assert (run.exit_code, said in run.output) == (2, True), run.output
    run = CliRunner().invoke(cloud_sync_cli.main, ["quality", "--data", str(tmp_path)])
    assert (run.exit_code, "nothing to judge" in run.output) == (0, True)
