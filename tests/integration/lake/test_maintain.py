"""Maintenance of a local lake: days become dense, readings stay, and nothing that is needed goes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import DayTransform
from pyiceberg.types import DoubleType, LongType, NestedField, StringType, TimestamptzType

from cloud_sync.landing.parquet import DAY_US
from cloud_sync.maintain import compaction
from cloud_sync.maintain.maintainer import Maintainer
from headrace.clock import ManualClock
from headrace.errors import LakeUnavailable
from headrace.lake.catalogue import open_catalogue
from headrace.lake.manifests import watermarks
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from tests.lakes import assert_each_once, journalled, pipeline
from tests.maintaining import LATER_US, MIDNIGHT_US, Lake, append, lake_of, land_and_register


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Twelve batches of two days in four landings, registered."""
    append(tmp_path, 12)
    made = lake_of(tmp_path, ManualClock(LATER_US))
    land_and_register(made.config)
    return made


def test_a_day_that_is_over_becomes_one_sorted_file_with_the_same_readings(lake: Lake) -> None:
    """Device, name, time; each reading once; the watermark where it was."""
    expected = journalled(lake.config.journal.path)
    marks = watermarks(lake.table.properties)
    assert len(lake.files) == 8
    report = lake.round()
    assert [(day.state, day.before.files, day.after.files) for day in report.days] == [
        ("done", 4, 1)
    ] * 2
    assert [day.before.rows for day in report.days] == [600, 600]
    assert_each_once(lake.identities(), expected)
    assert watermarks(lake.table.properties) == marks
    for uri in lake.files:
        table = pq.read_table(uri.removeprefix("file://"))
        keys = list(
            zip(
                *(table.column(each).to_pylist() for each in ("device", "name", "time")),
                strict=True,
            )
        )
        assert keys == sorted(keys)
    assert not lake.round().days  # and now it is well


def test_an_open_day_is_merged_when_there_are_enough_files(lake: Lake) -> None:
    """Few are left alone; a merge of an open day is not the last."""
    lake.clock.step_wall(-3 * 86_400 + 600)  # ten minutes into the first day
    assert not lake.round().days
    eager = lake.again(min_files=3)
    assert [day.after.files for day in eager.round().days] == [1, 1]
    lake.clock.advance(3 * 86_400)
    assert [day.before.files for day in lake.round().days] == [1, 1]  # dense now
    assert not lake.round().days


def test_late_readings_join_their_day_when_they_are_worth_it(lake: Lake) -> None:
    """Two late batches are a third of the day: it is made anew."""
    lake.round()
    append(lake.folder, 2, first=12)
    land_and_register(lake.config)
    expected = journalled(lake.config.journal.path)
    assert len(lake.files) > 2
    lake.round()
    assert len(lake.files) == 2
    assert_each_once(lake.identities(), expected)


def test_replaced_files_go_when_no_snapshot_and_no_reader_needs_them(lake: Lake) -> None:
    """First the snapshots expire, then the grace passes, then the landed files go; the manifests stay."""
    landed = set((lake.folder / "lake" / "landing").rglob("*.parquet"))
    lake.round()
    assert set((lake.folder / "lake" / "landing").rglob("*.parquet")) == landed
    for at in range(14, 20):  # commits that push the old snapshots out
        append(lake.folder, 1, first=at, days=1)
        land_and_register(lake.config)
    lake.round()
    assert landed <= set((lake.folder / "lake" / "landing").rglob("*.parquet"))
    lake.clock.advance(61)
    lake.round()
    assert not landed & set((lake.folder / "lake" / "landing").rglob("*.parquet"))
    assert len(list((lake.folder / "lake" / "landing").rglob("*.json"))) >= 4
    assert_each_once(lake.identities(), journalled(lake.config.journal.path))


def test_what_is_landed_and_not_registered_is_never_touched(lake: Lake) -> None:
    """Its manifest is all that knows of it."""
    lake.round()
    append(lake.folder, 3, first=12)
    path = pipeline(lake.config)
    path.land()
    landed = set((lake.folder / "lake" / "landing").rglob("*.parquet"))
    lake.clock.advance(10 * 86_400)
    for _ in range(3):
        lake.round()
    unregistered = {each for each in landed if each.exists()}
    path.register()
    assert unregistered
    assert_each_once(lake.identities(), journalled(lake.config.journal.path))


def test_a_compaction_that_loses_to_a_registration_commits_after_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files were merged before: the commit alone is done again, and the new readings stay."""
    commits = []

    def slow(table: Table, *args: object, **kwargs: object) -> None:
        if not commits:
            append(lake.folder, 3, first=12)
            land_and_register(lake.config)
        commits.append(1)
        original(table, *args, **kwargs)  # type: ignore[arg-type]

    original = compaction.replace
    monkeypatch.setattr(compaction, "replace", slow)
    report = lake.round()
    assert {day.state for day in report.days} == {"done"}
    assert_each_once(lake.identities(), journalled(lake.config.journal.path))


def test_of_two_maintainers_one_gives_up(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the slower one wrote goes at once, and no reading is there twice."""
    other = lake.again()
    original = compaction.replace
    raced = []

    def late(table: Table, *args: object, **kwargs: object) -> None:
        if not raced:
            raced.append(1)
            assert {day.state for day in other.round().days} == {"done"}
        original(table, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(compaction, "replace", late)
    report = lake.round()
    assert report.days[0].state == "lost"
    assert_each_once(lake.identities(), journalled(lake.config.journal.path))
    data = set((lake.folder / "lake" / "warehouse").rglob("*.parquet"))
    assert len(data) == len(lake.files)


def test_a_lost_answer_keeps_everything_until_it_is_known(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit happened, its answer did not come: it is read back and counts."""
    original = compaction.replace
    catalogue = type(open_catalogue(lake.config.lake))
    commit = catalogue.commit_table

    def lossy(self: object, *args: object) -> object:
        commit(self, *args)
        raise OSError("connection reset")

    def with_loss(table: Table, *args: object, **kwargs: object) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(catalogue, "commit_table", lossy)
            original(table, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(compaction, "replace", with_loss)
    assert {day.state for day in lake.round().days} == {"done"}
    assert_each_once(lake.identities(), journalled(lake.config.journal.path))


def test_a_commit_that_never_arrived_leaves_the_lake_as_it_was(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both kinds of files stay; a day later the orphans are removed and the next round does it."""
    catalogue = type(open_catalogue(lake.config.lake))

    def away(self: object, *args: object) -> object:
        raise OSError("connection reset")

    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "commit_table", away)
        with pytest.raises(LakeUnavailable):
            lake.round()
    assert_each_once(lake.identities(), journalled(lake.config.journal.path))
    orphans = set((lake.folder / "lake" / "warehouse").rglob("*.parquet"))
    assert len(orphans) == 1
    lake.round()
    assert all(path.exists() for path in orphans)
    lake.clock.advance(86_401)
    lake.round()
    assert not any(path.exists() for path in orphans)
    assert_each_once(lake.identities(), journalled(lake.config.journal.path))


def test_readings_past_their_days_go_as_whole_files(lake: Lake) -> None:
    """Retention is by table; the other days stay, and so does the watermark."""
    marks = watermarks(lake.table.properties)
    report = lake.again(keep_days={"readings": 2}).round()
    assert report.tables[0].retired.rows == 600
    times = lake.table.scan(selected_fields=("time",)).to_arrow().column("time").cast(pa.int64())
    assert min(times.to_pylist()) >= MIDNIGHT_US + DAY_US
    assert watermarks(lake.table.properties) == marks


def test_a_derived_table_of_another_shape_is_maintained_by_its_name(lake: Lake) -> None:
    """Made by pyiceberg, with field ids, other columns and a commit for each part of a day."""
    columns = Schema(
        NestedField(1, "device", StringType(), required=True),
        NestedField(2, "name", StringType(), required=True),
        NestedField(3, "time", TimestamptzType(), required=True),
        NestedField(4, "count", LongType(), required=True),
        NestedField(5, "mean", DoubleType()),
    )
    by_day = PartitionSpec(PartitionField(3, 1000, DayTransform(), "day"))
    catalogue = open_catalogue(lake.config.lake)
    table = catalogue.create_table(("headrace", "readings_1m"), columns, partition_spec=by_day)
    for part in range(3):
        times = [MIDNIGHT_US + day * DAY_US + part * 60_000_000 for day in range(2)]
        rows = {
            "device": ["pump-1", "pump-1"], "name": ["flow", "flow"],
            "time": pa.array(times).cast(pa.timestamp("us", "UTC")),
            "count": [60, part], "mean": [1.5, None],
        }  # fmt: skip
        table.append(pa.table(rows, schema=table.schema().as_arrow()))
    before = table.scan().to_arrow().sort_by("time").to_pylist()
    report = lake.maintainer.round(tables=["readings_1m"])
    assert [(day.before.files, day.after.files) for day in report.days] == [(3, 1), (3, 1)]
    table.refresh()
    assert table.scan().to_arrow().sort_by("time").to_pylist() == before
    assert len(lake.files) == 8  # the other table was not asked for


def test_a_damaged_file_stays_and_the_rest_of_its_day_is_compacted(lake: Lake) -> None:
    """The report names it, and the command's exit status is not about it: verify is."""
    path = Path(sorted(lake.files)[0].removeprefix("file://"))
    path.write_bytes(path.read_bytes()[:-9])
    days = lake.round().days
    assert [day.after.files for day in days] == [2, 1]
    assert path.name in days[0].why
    assert path.exists()


def test_only_the_days_that_are_named_are_compacted(lake: Lake) -> None:
    """And nothing else is done then but the sweep."""
    report = lake.again(keep_days={"readings": 1}).maintainer.round(days=["2025-06-15"])
    assert not report.days  # it is past its days, and retirement is not what was asked for
    report = lake.maintainer.round(days=["2025-06-16"])
    assert [day.day for day in report.days] == ["day=2025-06-16"]
    assert len(lake.files) == 5


def test_a_compaction_gives_up_when_the_service_ends(lake: Lake) -> None:
    """What it had written goes at once; the next start goes on."""
    lake.maintainer.stop()
    assert not lake.round().days
    halfway = Maintainer(
        lake.config, open_store(lake.config.lake), lake.clock, Metrics("cloud_sync"),
        lambda _title, _rows: lambda _: halfway.stop(),
    )  # fmt: skip
    (day,) = halfway.round().days
    assert (day.state, day.why) == ("left", "stopped")
    assert not list((lake.folder / "lake" / "warehouse").rglob("*.parquet"))
    assert_each_once(lake.identities(), journalled(lake.config.journal.path))
