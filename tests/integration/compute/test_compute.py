"""The batch layer on DuckDB: rollups and features are what their readings say."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud_sync import cli
from cloud_sync.catalog.keeper import SeriesKeeper
from cloud_sync.config import Compute
from headrace.catalog.listing import details
from headrace.clock import SystemClock
from headrace.errors import UsageError
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from headrace.metrics import Metrics
from tests.computed import (
    DAY_US,
    FIRST_US,
    MINUTE_US,
    SECOND_US,
    ComputedLake,
    computed_lake,
    fill,
    same,
    snapshots,
)
from tests.servers import duckdb_reader

TABLES = ("readings_1m", "readings_1h", "readings_1d")


def test_minutes_are_what_their_readings_say(lake: ComputedLake) -> None:
    """Every statistic of every minute, from readings that came in no order."""
    fill(lake)
    outcomes = lake.run()
    assert [outcome.table for outcome in outcomes] == list(TABLES)
    assert outcomes[0].days == ("2026-11-20", "2026-11-21")
    same(lake.table("readings_1m"), lake.expected_minutes())


def test_hours_are_made_of_minutes_and_days_of_hours(lake: ComputedLake) -> None:
    """Counts, extremes, first and last are those of the readings themselves."""
    fill(lake)
    lake.run()
    for name, unit in (("readings_1h", "hour"), ("readings_1d", "day")):
        found = lake.table(name)
        expected = lake.ask(
            f"SELECT device, date_trunc('{unit}', time) AS time, count(*) AS count, min(value) AS min, "
            "max(value) AS max, arg_min(value, time) AS first, arg_max(value, time) AS last, "
            "fsum(value) AS sum FROM readings GROUP BY ALL ORDER BY device, time"
        ).to_pylist()
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            total = other.pop("sum")
            assert {key: one[key] for key in other} == other
            assert math.isclose(one["sum"], total, rel_tol=1e-14)
            assert one["mean"] == one["sum"] / one["count"]


def test_a_second_run_finds_nothing_to_do(lake: ComputedLake) -> None:
    """And commits nothing."""
    fill(lake)
    lake.run()
    before = [snapshots(lake, name) for name in TABLES]
    assert [outcome.days for outcome in lake.run()] == [(), (), ()]
    assert [snapshots(lake, name) for name in TABLES] == before


def test_what_is_no_number_does_not_count_and_units_are_kept_apart(lake: ComputedLake) -> None:
    """Texts, NaN and infinity; a series that changes its unit has two rows in that minute."""
    times = [FIRST_US + at * SECOND_US for at in range(4)]
    lake.append("pump-1", "t", times, [1.0, math.nan, math.inf, -0.0], unit="Cel")
    lake.append("pump-1", "t", [FIRST_US + 9 * SECOND_US], [33.8], unit="F")
    lake.append("pump-1", "note", [FIRST_US], [None], texts=["checked"])
    lake.append("pump-1", "bare", [FIRST_US, FIRST_US], [2.0, 1.0])
    lake.register()
    lake.run()
    found = [
        (row["name"], row["unit"], row["count"], row["sum"], row["min"], row["first"], row["last"])
        for row in lake.table("readings_1m")
    ]
    assert found == [
        ("bare", None, 2, 3.0, 1.0, 2.0, 1.0),
        ("t", "Cel", 2, 1.0, 0.0, 1.0, 0.0),
        ("t", "F", 1, 33.8, 33.8, 33.8, 33.8),
    ]
    assert math.copysign(1.0, found[1][4]) == 1.0


def test_a_day_in_pieces_of_devices_is_the_same_day(
    lake: ComputedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many rows at once as an engine may be asked about."""
    from cloud_sync.compute.engines.duckdb import DuckdbEngine

    fill(lake, devices=5)
    monkeypatch.setattr(DuckdbEngine, "max_rows", 2_500)
    assert lake.run()[0].rows == 5 * 2 * 180
    same(lake.table("readings_1m"), lake.expected_minutes())


def test_others_read_the_tables_too(lake: ComputedLake) -> None:
    """PyIceberg by hand, and DuckDB with its own Iceberg extension where that is installed; after a late reading."""
    fill(lake, days=1)
    lake.run()
    lake.append("pump-1", "flow", [FIRST_US], [1.0])
    lake.register()
    lake.run()
    table = open_catalogue(lake.config.lake).load_table((NAMESPACE, "readings_1m"))
    found = table.scan(row_filter="device == 'pump-1'").to_arrow()
    assert (found.num_rows, sum(found["count"].to_pylist())) == (180, 1_081)
    if not duckdb_reader.is_there():
        pytest.skip("PyIceberg sees it; DuckDB's Iceberg extension is not installed (make test)")
    sql = f"SELECT count(*), sum(count) FROM iceberg_scan('{table.metadata_location}')"
    assert duckdb_reader.ask([sql]) == [[540, 3 * 1_080 + 1]]


def test_features_stand_side_by_side_with_what_was_before(tmp_path: Path) -> None:
    """A row per minute with both series; windows and lags by time, over midnight too."""
    lake = computed_lake(
        tmp_path,
        Compute(
            job="pumps", kind="features", series={"flow": "flow", "vib": "vibration/x"},
            devices=("pump-*",), windows=(3,), lags=(2,),
        ),
    )  # fmt: skip
    start = FIRST_US + DAY_US - 3 * MINUTE_US
    minutes = [start + at * MINUTE_US for at in range(6) if at != 4]
    for device in ("pump-1", "fan-1"):
        lake.append(device, "flow", minutes, [float(at) for at in range(6) if at != 4])
        lake.append(device, "vibration/x", minutes, [0.5] * 5)
    lake.append("pump-1", "flow", [start + 4 * MINUTE_US], [99.0])  # without the other: no row
    lake.register()
    lake.run()
    (outcome,) = lake.run("pumps")
    assert (outcome.table, outcome.rows) == ("features_pumps", 5)
    rows = lake.table("features_pumps")
    assert {row["device"] for row in rows} == {"pump-1"}
    assert [row["flow"] for row in rows] == [0.0, 1.0, 2.0, 3.0, 5.0]
    assert [row["flow_mean_3"] for row in rows] == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert [row["flow_min_3"] for row in rows] == [0.0, 0.0, 0.0, 1.0, 3.0]
    assert [row["flow_max_3"] for row in rows] == [0.0, 1.0, 2.0, 3.0, 5.0]
    assert [row["flow_lag_2"] for row in rows] == [None, None, 0.0, 1.0, 3.0]
    assert {row["vib_mean_3"] for row in rows} == {0.5}
    lake.append("pump-1", "flow", [start + 2 * MINUTE_US + 1], [4.0])
    lake.register()
    lake.run()
    assert lake.run("pumps")[0].days == ("2026-11-20", "2026-11-21")
    assert [row["flow_lag_2"] for row in lake.table("features_pumps")] == [
        None,
        None,
        0.0,
        1.0,
        3.0,
    ]
    assert [row["flow"] for row in lake.table("features_pumps")] == [0.0, 1.0, 3.0, 3.0, 5.0]
    lake.journal.close()


def test_a_feature_table_says_what_its_columns_are_and_in_which_unit(tmp_path: Path) -> None:
    """The units are those of its devices, as the table of series has them when it is computed."""
    lake = computed_lake(
        tmp_path,
        Compute(
            job="pumps", kind="features", series={"flow": "flow", "vib": "vibration/x"},
            devices=("pump-*",), windows=(3,), lags=(2,),
        ),
    )  # fmt: skip
    for device, unit in (("pump-1", "m3/s"), ("fan-1", "l/s")):
        lake.append(device, "flow", [FIRST_US], [1.0], unit=unit)
        lake.append(device, "vibration/x", [FIRST_US], [0.5])
    lake.register()
    lake.run()
    lake.run("pumps")
    catalogue = open_catalogue(lake.config.lake)

    def told() -> dict[str, tuple[str, str]]:
        found = details(catalogue, "features_pumps")
        assert "flow, vib; a row a device and minute" in found.table.comment
        return {each.name: (each.comment, each.unit) for each in found.columns}

    assert told()["flow"] == ("Mean of flow in the minute", "")
    SeriesKeeper(lake.config, SystemClock()).step()
    lake.run("pumps", since=0)
    assert told() == {
        "site": ("The gateway's site", ""),
        "device": ("The device that took the reading, or from whose readings it was derived", ""),
        "time": ("When the minute begins, UTC", ""),
        "flow": ("Mean of flow in the minute", "m3/s"),
        "flow_mean_3": ("Mean of flow in the 3 minutes that end with this one", "m3/s"),
        "flow_min_3": ("The least of flow in the 3 minutes that end with this one", "m3/s"),
        "flow_max_3": ("The greatest of flow in the 3 minutes that end with this one", "m3/s"),
        "flow_lag_2": ("flow 2 minutes before; null where there is none", "m3/s"),
        "vib": ("Mean of vibration/x in the minute", ""),
        "vib_mean_3": ("Mean of vibration/x in the 3 minutes that end with this one", ""),
        "vib_min_3": ("The least of vibration/x in the 3 minutes that end with this one", ""),
        "vib_max_3": ("The greatest of vibration/x in the 3 minutes that end with this one", ""),
        "vib_lag_2": ("vib 2 minutes before; null where there is none", ""),
    }
    lake.append("pump-2", "flow", [FIRST_US], [1.0], unit="l/min")
    lake.append("pump-2", "vibration/x", [FIRST_US], [0.5])
    lake.register()
    SeriesKeeper(lake.config, SystemClock()).step()
    lake.run()
    lake.run("pumps")
    assert told()["flow_lag_2"][1] == "l/min or m3/s"
    assert len(lake.table("features_pumps")) == 2
    lake.journal.close()


def test_a_table_of_another_definition_is_not_mixed_in(tmp_path: Path) -> None:
    """It is named, with what to do; another order of the same is no other definition."""
    series = {"flow": "flow", "again": "flow"}
    one = Compute(job="pumps", kind="features", series=series, windows=(3, 5), lags=(1, 2))
    lake = computed_lake(tmp_path, one)
    fill(lake, days=1)
    lake.run()
    lake.run("pumps")
    before = lake.table("features_pumps")
    lake.journal.close()
    turned = {"again": "flow", "flow": "flow"}
    same_one = Compute(job="pumps", kind="features", series=turned, windows=(5, 3), lags=(2, 1))
    lake = computed_lake(tmp_path, same_one)
    lake.run("pumps", since=0)
    assert lake.table("features_pumps") == before
    lake.journal.close()
    other = computed_lake(tmp_path, Compute(job="pumps", kind="features", series={"flow": "f"}))
    with pytest.raises(UsageError, match="another name, or cloud-sync compute drop features_pumps"):
        other.run("pumps")
    other.journal.close()


def test_the_command_runs_lists_and_says_how_it_is(lake: ComputedLake) -> None:
    """For people and for scripts."""
    fill(lake)
    place = ["--data", str(lake.folder)]

    def call(*words: str) -> str:
        done = CliRunner().invoke(cli.main, ["compute", *words, *place])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "rollups" in call("list")
    waiting = json.loads(call("status", "--json"))
    assert waiting[0]["waiting"] == ["2026-11-20", "2026-11-21"]
    ran = json.loads(call("run", "rollups", "--json"))
    assert [each["table"] for each in ran] == list(TABLES)
    state = json.loads(call("status", "rollups", "--json"))[0]
    assert (state["days"], state["waiting"], state["engine"]) == (2, [], "duckdb")
    assert "0 days wait" in call("status")
    assert "readings_1m: 0 days" in call("run")
    assert json.loads(call("list", "--json"))[0]["tables"] == list(TABLES)
    wrong = CliRunner().invoke(cli.main, ["compute", "run", "nothing", *place])
    assert (wrong.exit_code, "known: rollups" in wrong.stderr) == (2, True)


def test_a_table_that_no_job_makes_any_more_is_shown_and_can_be_dropped(tmp_path: Path) -> None:
    """With its files; a table that cannot be made again is not taken."""
    lake = computed_lake(tmp_path, Compute(job="pumps", kind="features", series={"flow": "flow"}))
    fill(lake, days=1)
    lake.run()
    lake.run("pumps")
    place = ["--data", str(lake.folder)]  # whose configuration has no job of that name

    def call(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli.main, ["compute", *words, *place])
        return done.exit_code, done.output

    assert "features_pumps: 1 days" in call("status")[1]
    assert "no job makes it any more" in call("status")[1]
    (state,) = [each for each in json.loads(call("status", "--json")[1]) if each["is_left"]]
    assert (state["table"], state["rows"]) == ("features_pumps", 540)
    files = lambda: list((lake.folder / "lake").glob("**/features_pumps/**/*.*"))  # noqa: E731
    assert files()
    code, said = call("drop", "features_pumps")
    assert (code, "Remove features_pumps and its files" in said, "Aborted" in said) == (
        1,
        True,
        True,
    )
    assert call("drop", "features_pumps", "--yes") == (0, "features_pumps: removed\n")
    assert not files()
    assert "features_pumps" not in call("status")[1]
    assert call("drop", "features_pumps", "--yes")[0] == 2
    code, said = call("drop", "readings", "--yes")
    assert (code, "was not computed" in said) == (2, True)
    assert lake.run("pumps")[0].rows == 540
    lake.journal.close()


def test_a_lake_with_nothing_in_it_has_nothing_to_compute(lake: ComputedLake) -> None:
    """And no table is made."""
    assert [outcome.days for outcome in lake.run()] == [(), (), ()]
    place = ["--data", str(lake.folder)]
    said = CliRunner().invoke(cli.main, ["compute", "status", *place]).stdout
    assert "nothing yet" in said


def test_the_service_computes_on_its_schedule(tmp_path: Path) -> None:
    """Its job is there, by its name, and does the work when it is due."""
    from cloud_sync.compute.schedule import scheduled

    lake = computed_lake(tmp_path, Compute(job="rollups", schedule="*/5 * * * *"))
    fill(lake, days=1)
    (job,) = scheduled(lake.config, "test", Metrics("cloud_sync"))
    assert job.name == "compute rollups"
    job._do()
    same(lake.table("readings_1m"), lake.expected_minutes())
    lake.journal.close()
