"""What is computed again, and what is not: late readings, deletions, retention, compaction, on demand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from cloud_sync.compute.days import day_of
from cloud_sync.config import Compute
from cloud_sync.maintain.maintainer import Maintainer
from headrace.clock import ManualClock
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from headrace.lake.opening import open_store
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

TABLES = ("readings_1m", "readings_1h", "readings_1d")


def test_late_readings_of_one_device_cost_that_device_alone(lake: ComputedLake) -> None:
    """The rows of the others are not computed, and everything is as if it had come in time."""
    fill(lake, devices=4)
    lake.run()
    late = [FIRST_US + 30 * MINUTE_US + at * SECOND_US for at in range(3)]
    lake.append("pump-2", "flow", late, [100.0, 200.0, 300.0])
    lake.register()
    minutes, hours, days = lake.run()
    assert (minutes.days, minutes.rows) == (("2026-11-20",), 180)
    assert (hours.days, hours.rows) == (("2026-11-20",), 3)
    assert (days.days, days.rows) == (("2026-11-20",), 1)
    same(lake.table("readings_1m"), lake.expected_minutes())
    (row,) = lake.ask("SELECT max, count FROM readings_1d WHERE device = 'pump-2' AND time = '2026-11-20'").to_pylist()  # fmt: skip
    assert row == {"max": 300.0, "count": 1083}


def test_days_can_be_computed_again_on_demand(lake: ComputedLake) -> None:
    """From a day on; each once, and with the same result."""
    fill(lake)
    lake.run()
    before = [lake.table(name) for name in TABLES]
    outcomes = lake.run(since=day_of("2026-11-21"))
    assert [outcome.days for outcome in outcomes] == [("2026-11-21",)] * 3
    assert [lake.table(name) for name in TABLES] == before


def test_compaction_of_a_computed_table_changes_nothing_for_it(lake: ComputedLake) -> None:
    """Late readings are computed into what compaction made."""
    fill(lake, days=2)
    lake.run()
    for seed in range(3):
        lake.append("pump-0", "flow", [FIRST_US + seed * MINUTE_US], [float(seed)])
        lake.register()
        lake.run()
    clock = ManualClock(FIRST_US + 10 * DAY_US)
    maintainer = Maintainer(lake.config, open_store(lake.config.lake), clock, Metrics("cloud_sync"))
    assert not maintainer.round().problems
    assert [outcome.days for outcome in lake.run()] == [(), (), ()]
    lake.append("pump-1", "flow", [FIRST_US + 5 * MINUTE_US], [50.0])
    lake.register()
    assert lake.run()[0].rows == 180
    same(lake.table("readings_1m"), lake.expected_minutes())


def test_retention_takes_readings_and_leaves_what_was_computed_of_them(lake: ComputedLake) -> None:
    """Also when a late reading comes to such a day: with it alone the day's rollup would be lost."""
    fill(lake, days=2)
    lake.run()
    before = [lake.table(name) for name in TABLES]
    kept = replace(lake.config, maintain=replace(lake.config.maintain, keep_days={"readings": 30}))
    clock = ManualClock(FIRST_US + 31 * DAY_US)  # of two days the first is taken
    Maintainer(kept, open_store(kept.lake), clock, Metrics("cloud_sync")).round()
    assert lake.ask("SELECT min(time) AS first FROM readings")["first"][0].as_py().day == 21
    lake.append("pump-1", "flow", [FIRST_US], [100.0])
    lake.append("pump-1", "flow", [FIRST_US + DAY_US], [100.0])
    lake.register()
    lake.config = kept
    minutes, hours, days = lake.run(clock=clock)
    assert [minutes.days, hours.days, days.days] == [("2026-11-21",)] * 3
    days_after = lake.table("readings_1d")
    assert days_after[0] == before[2][0]
    assert [row["max"] for row in days_after if row["device"] == "pump-1"][1] == 100.0
    assert [one for one in lake.table("readings_1m") if one["time"].day == 20] == [
        one for one in before[0] if one["time"].day == 20
    ]


def test_what_was_deleted_goes_from_all_tables(lake: ComputedLake) -> None:
    """A device that has nothing left but texts has no minutes, and then no hours and no days."""
    for device in ("pump-1", "pump-2"):
        lake.append(device, "flow", [FIRST_US, FIRST_US + 1], [1.0, 2.0])
        lake.append(device, "note", [FIRST_US], [None], texts=["checked"])
    lake.append("pump-1", "flow", [FIRST_US + DAY_US], [1.0])
    lake.append("pump-1", "note", [FIRST_US + DAY_US], [None], texts=["checked"])
    lake.register()
    lake.run()
    table = open_catalogue(lake.config.lake).load_table((NAMESPACE, "readings"))
    table.delete("device == 'pump-1' and name == 'flow'")
    assert [outcome.days for outcome in lake.run()] == [("2026-11-20", "2026-11-21")] * 3
    for name in TABLES:
        assert [(row["device"], row["count"]) for row in lake.table(name)] == [("pump-2", 2)], name
    assert [outcome.days for outcome in lake.run()] == [(), (), ()]


def test_features_follow_rollups_that_were_computed_by_force(tmp_path: Path) -> None:
    """Values were changed and not their number, so nobody can see it; the features' own schedule brings them."""
    lake = computed_lake(tmp_path, Compute(job="pumps", kind="features", series={"flow": "flow"}))
    lake.append("pump-1", "flow", [FIRST_US, FIRST_US + MINUTE_US], [1.0, 2.0])
    lake.register()
    lake.run()
    lake.run("pumps")
    table = open_catalogue(lake.config.lake).load_table((NAMESPACE, "readings"))
    rows = table.scan().to_arrow()
    values = pa.array([each * 10 for each in rows["value"].to_pylist()])
    table.overwrite(rows.set_column(rows.column_names.index("value"), "value", values))
    assert [outcome.days for outcome in (*lake.run(), *lake.run("pumps"))] == [()] * 4
    lake.run(since=day_of("2026-11-01"))
    assert [row["flow"] for row in lake.table("features_pumps")] == [1.0, 2.0]
    assert lake.run("pumps")[0].days == ("2026-11-20",)
    assert [row["flow"] for row in lake.table("features_pumps")] == [10.0, 20.0]
    assert lake.run("pumps")[0].days == ()
    lake.journal.close()


def test_devices_that_came_late_on_two_occasions_are_all_there(lake: ComputedLake) -> None:
    """Hours that have missed one of them take the whole day."""
    fill(lake, days=1, devices=4)
    lake.run()
    for times, device in enumerate(("pump-0", "pump-3"), 2):
        lake.append(device, "flow", [FIRST_US + 30 * MINUTE_US], [100.0])
        lake.register()
        # Stopped behind the minutes.
        stopped = lake.run(should_stop=lambda: snapshots(lake, "readings_1m") == times)  # noqa: B023
        assert [outcome.rows for outcome in stopped] == [180, 0, 0]
    assert [outcome.rows for outcome in lake.run()] == [0, 4 * 3, 4]
    found = lake.ask("SELECT device FROM readings_1h WHERE max = 100 ORDER BY 1").to_pylist()
    assert [row["device"] for row in found] == ["pump-0", "pump-3"]
    same(lake.table("readings_1m"), lake.expected_minutes())


def test_retention_goes_by_months_where_a_table_does(lake: ComputedLake) -> None:
    """A month of hours is taken when all of it is too old; days stay, which are made of them."""
    fill(lake, days=1)
    lake.append("pump-1", "flow", [FIRST_US + 11 * DAY_US], [1.0])  # 1 December
    lake.register()
    lake.run()
    keep = {"readings_1h": 30}
    kept = replace(lake.config, maintain=replace(lake.config.maintain, keep_days=keep))
    clock = ManualClock(FIRST_US + 40 * DAY_US)  # 30 December
    maintainer = Maintainer(kept, open_store(kept.lake), clock, Metrics("cloud_sync"))
    maintainer.round()
    assert {row["time"].month for row in lake.table("readings_1h")} == {11, 12}
    clock.advance(2 * 86_400)
    maintainer.round()
    assert {row["time"].month for row in lake.table("readings_1h")} == {12}
    assert {row["time"].month for row in lake.table("readings_1d")} == {11, 12}
    lake.config = kept
    assert [outcome.days for outcome in lake.run(clock=clock)] == [(), (), ()]
