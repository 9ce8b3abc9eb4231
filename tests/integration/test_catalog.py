"""The table of series, the words of tables, and evolution without rewriting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import DoubleType, NestedField

from cloud_sync.catalog.keeper import SeriesKeeper
from cloud_sync.compute.targets import rollup_targets
from cloud_sync.config import Catalog, Maintain, Register, TagRule
from cloud_sync.lake.table import READINGS_COLUMNS
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.maintain.maintainer import Maintainer
from headrace import cli
from headrace.catalog import evolution, words
from headrace.catalog.evolution import OLDEST_KEY, VERSION_KEY, evolve
from headrace.clock import ManualClock
from headrace.errors import LakeError, LakeNewer
from headrace.lake.catalogue import NAMESPACE, load_readings, open_catalogue
from headrace.lake.manifests import read_manifest, unregistered
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from headrace.resend import PREFIX as RESEND
from headrace.resend import QUARANTINE_PREFIX
from tests import lakes
from tests.journals import START_US, Journal, batch, readings

COUNTED = """
SELECT site, device, name, max_by(unit, time) FILTER (WHERE unit IS NOT NULL) AS unit,
       min(time) AS first_time, max(time) AS last_time, count(*) AS readings, count(text) AS texts
FROM readings WHERE clock IS DISTINCT FROM 'odd' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


class Site:
    """A journal, a lake, and what keeps its series."""

    def __init__(self, folder: Path) -> None:
        rules = (TagRule(device="pump-*", tags={"line": "3"}),)
        self.folder = folder
        self.clock = ManualClock(START_US + 40 * DAY_US)
        self.config = replace(lakes.settings(folder), catalog=Catalog(tags=rules))
        self.journal = Journal(self.config.journal.path)
        self.path = lakes.pipeline(self.config)
        self.keeper = SeriesKeeper(self.config, self.clock)

    def bring(self, device: str, rows: pa.RecordBatch, **more: Any) -> None:
        self.journal.append(device, rows, **more)
        self.path.land()
        self.path.register()

    def table(self, name: str) -> Table:
        return open_catalogue(self.config.lake).load_table((NAMESPACE, name))

    def series(self) -> list[dict[str, Any]]:
        rows = self.table("series").scan().to_arrow().to_pylist()
        return sorted(rows, key=lambda row: (row["device"], row["name"]))

    def assert_right(self) -> None:
        """The table says what all readings say."""
        counted = lakes.ask(self.config.lake, None, COUNTED).to_pylist()
        kept = [{name: row[name] for name in counted[0]} for row in self.series()]
        assert kept == counted


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()


def test_series_follow_what_is_registered_and_each_reading_counts_once(site: Site) -> None:
    """Late, odd, text, mixed, a new unit; looked at again without news, nothing is committed."""
    site.bring("pump-1", readings(40), units={"s0": "Cel"})
    assert site.keeper.step() == 40
    site.bring("pump-1", readings(40, start_us=START_US + DAY_US), units={"s0": "K", "s1": "Pa"})
    site.bring("fan;room=7", batch(["state;core=1"] * 2, [START_US] * 2, [None, 1.0], ["on", None]))
    site.bring("pump-1", readings(8, start_us=START_US - DAY_US, seed=3))
    late = START_US + 3 * DAY_US
    site.bring("pump-1", batch(["s0"], [START_US + 300 * DAY_US], [9.0]), received_at=late)
    assert site.keeper.step() == 50
    site.assert_right()
    snapshots = len(site.table("series").snapshots())
    assert site.keeper.step() == 0
    assert len(site.table("series").snapshots()) == snapshots
    first, *_, state = sorted(site.series(), key=lambda row: row["device"] == "fan;room=7")
    assert (first["unit"], first["type"], first["tags"]) == ("K", "number", [("line", "3")])
    assert (state["type"], state["tags"]) == ("mixed", [("core", "1")])


def test_what_a_killed_keeper_has_not_committed_is_folded_again_and_nothing_else(
    site: Site,
) -> None:
    """Rows and offsets are one commit: another keeper goes on from there."""
    for at in range(3):
        site.bring("pump", readings(40, start_us=START_US + at * 60_000_000))
        if at < 2:
            SeriesKeeper(site.config, site.clock).step()
    assert SeriesKeeper(site.config, site.clock).step() == 40
    site.assert_right()


def test_series_are_counted_from_the_table_where_landed_files_are_gone(site: Site) -> None:
    """Compaction has replaced and removed them before the keeper came; or the table is older than the keeper."""
    site.bring("pump", readings(40))
    site.keeper.step()
    site.bring("pump", readings(40, start_us=START_US + 60_000_000))
    config = replace(
        site.config, maintain=Maintain(level=3, grace_s=0.0), register=Register(keep_snapshots=1)
    )
    maintainer = Maintainer(config, open_store(config.lake), site.clock, Metrics("cloud_sync"))
    for _ in range(3):
        maintainer.round()
    assert not list(config.lake.folder.glob("landing/*/*/*.parquet"))
    assert site.keeper.step() == 80
    site.assert_right()


def test_replaced_files_of_the_table_of_series_are_swept(site: Site) -> None:
    """As those of compaction: by a record, when no snapshot names them."""
    for at in range(6):
        site.bring("pump", readings(4, start_us=START_US + at * 60_000_000))
        site.keeper.step()
    config = replace(
        site.config, maintain=Maintain(level=3, grace_s=0.0), register=Register(keep_snapshots=1)
    )
    maintainer = Maintainer(config, open_store(config.lake), site.clock, Metrics("cloud_sync"))
    for _ in range(3):
        report = maintainer.round(tables=["series"])
        assert not report.problems
    place = site.table("series").location().removeprefix("file://")
    assert len(list(Path(place).glob("data/*.parquet"))) == 1
    site.assert_right()


def test_a_table_that_is_not_ours_is_said_and_left_alone(site: Site) -> None:
    """Somebody was first with the name."""
    site.bring("pump", readings(4))
    mine = pa.table({"device": ["mine"]})
    open_catalogue(site.config.lake).create_table((NAMESPACE, "series"), mine.schema).append(mine)
    with pytest.raises(LakeError, match="is not of Headrace"):
        site.keeper.step()
    assert site.table("series").scan().to_arrow().to_pylist() == [{"device": "mine"}]


def test_tables_say_in_their_columns_what_they_are(site: Site) -> None:
    """Any engine that reads Iceberg shows it."""
    site.bring("pump", readings(4))
    site.keeper.step()
    for name in ("readings", "series"):
        table = site.table(name)
        assert {field.name for field in table.schema().fields} == set(words.TABLES[name].columns)
        assert all(field.doc for field in table.schema().fields)
        assert table.properties["comment"] == words.TABLES[name].comment


def test_rollups_have_words_for_each_column() -> None:
    """Whoever adds one says what it is."""
    for target in rollup_targets():
        assert all(field.doc for field in target.schema.fields)
        assert set(words.TABLES[target.name].columns) == {f.name for f in target.schema.fields}


def test_the_words_of_views_name_their_columns(site: Site) -> None:
    """In the order that the views have."""
    site.bring("pump", readings(4))
    for name, view in words.VIEWS.items():
        found = lakes.ask(site.config.lake, None, f"SELECT * FROM {name}")
        assert found.schema.names == list(view.columns)


def later(schema: Schema = READINGS_COLUMNS) -> Schema:
    """The columns of a version to come."""
    return Schema(*schema.fields, NestedField(50, "quality", DoubleType(), doc="How sure"))


def test_a_column_of_another_type_is_refused(site: Site) -> None:
    """Nothing is changed then."""
    site.bring("pump", readings(4))
    wanted = Schema(
        *READINGS_COLUMNS.fields[:-1], NestedField(11, "clock", DoubleType(), required=False)
    )
    with pytest.raises(LakeError, match=r"cannot be evolved.*clock"):
        evolve(site.table("readings"), wanted, version=2)


def test_a_later_version_adds_its_column_and_rewrites_nothing(site: Site) -> None:
    """Old files stay, are read as null there, and the version of today goes on beside it."""
    site.bring("pump", readings(40))
    table = site.table("readings")
    files = [task.file.file_path for task in table.scan().plan_files()]
    assert evolve(table, later(), version=2)
    site.bring("pump", readings(40, start_us=START_US + 60_000_000))
    now = site.table("readings")
    assert now.properties[VERSION_KEY] == "2"
    assert now.schema().find_field("quality").doc == "How sure"
    assert set(files) < {task.file.file_path for task in now.scan().plan_files()}
    read = now.scan().to_arrow()
    assert (read.num_rows, read.column("quality").null_count) == (80, 80)
    assert site.keeper.step() == 80
    site.assert_right()


def test_files_with_and_without_the_new_column_are_asked_and_compacted_together(site: Site) -> None:
    """By the version of today, whichever file comes first; no value of the new column is lost."""
    for at, has_column in enumerate((False, True, False)):
        site.bring("pump", readings(40, start_us=START_US + at * 60_000_000))
        if has_column:
            table = site.table("readings")
            evolve(table, later(), version=2)
            table = site.table("readings")
            rows = table.scan().to_arrow().slice(0, 1)
            rows = rows.set_column(11, rows.schema.field("quality"), [[0.5]])
            table.append(rows)
    assert files_with(site, "quality") == (1, 4)
    found = lakes.ask(site.config.lake, None, "SELECT count(value) AS n FROM readings").to_pylist()
    assert found == [{"n": 121}]
    maintainer = Maintainer(
        replace(site.config, maintain=Maintain(level=3)), open_store(site.config.lake), site.clock,
        Metrics("cloud_sync"),
    )  # fmt: skip
    assert not maintainer.round(tables=["readings"]).problems
    assert files_with(site, "quality") == (1, 1)
    now = site.table("readings").scan().to_arrow()
    assert (now.num_rows, now.column("quality").drop_null().to_pylist()) == (121, [0.5])
    assert (
        lakes.ask(site.config.lake, None, "SELECT count(value) AS n FROM readings").to_pylist()
        == found
    )


def files_with(site: Site, column: str) -> tuple[int, int]:
    """How many files of the table have a column, and how many there are."""
    uris = [task.file.file_path for task in site.table("readings").scan().plan_files()]
    columns = [pq.read_schema(uri.removeprefix("file://")).names for uri in uris]
    return sum(column in names for names in columns), len(uris)


def test_a_table_of_an_earlier_version_gets_words_and_widths(site: Site) -> None:
    """Once; then it is left alone."""
    site.bring("pump", readings(4))
    table = site.table("readings")
    with table.transaction() as change:
        change.remove_properties(VERSION_KEY)
        with change.update_schema() as columns:
            columns.update_column("value", doc="")
    site.bring("pump", readings(4, start_us=START_US + 60_000_000))
    assert (
        site.table("readings").schema().find_field("value").doc
        == words.READINGS.columns["value"].doc
    )
    assert not evolve(site.table("readings"), READINGS_COLUMNS)


def test_an_older_program_refuses_a_table_that_it_must_not_write_to(site: Site) -> None:
    """Before it writes; what has landed waits."""
    site.bring("pump", readings(4))
    with site.table("readings").transaction() as change:
        change.set_properties({OLDEST_KEY: str(evolution.VERSION + 1)})
    site.journal.append("pump", readings(4, start_us=START_US + 60_000_000))
    site.path.land()
    with pytest.raises(LakeNewer, match="update Headrace"):
        site.path.register()
    with site.table("readings").transaction() as change:
        change.set_properties({OLDEST_KEY: str(evolution.VERSION)})
    assert site.path.register() == 4


def test_a_landing_of_a_later_version_waits_for_an_update(site: Site) -> None:
    """It is not damaged: its site is not asked for it, and it is not given up."""
    site.bring("pump", readings(4))
    site.journal.append("pump", readings(4, start_us=START_US + 60_000_000))
    site.path.land()
    store = open_store(site.config.lake)
    (name,) = unregistered(store, site.path.registrar.watermarks())
    manifest = read_manifest(store, name)
    store.put(name.path, msgspec.json.encode(msgspec.structs.replace(manifest, version=2)))
    for _ in range(4):
        assert site.path.register() == 0
    assert "later Headrace" in str(site.path.registrar.held[0])
    assert not store.folders(RESEND)
    assert not store.folders(QUARANTINE_PREFIX)
    store.put(name.path, msgspec.json.encode(manifest))
    assert site.path.register() == 4


def run(*words_: str) -> Any:
    done = CliRunner().invoke(cli.main, ["catalog", *words_])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_lists_and_explains(site: Site) -> None:
    """For people and for scripts."""
    site.bring("pump-1", readings(40), units={"s0": "Cel"})
    site.keeper.step()
    place = ["--lake", str(site.config.lake.folder)]
    assert "4 series of 1 devices at 1 sites" in run(*place)
    listed = json.loads(run(*place, "--json"))
    tables = {table["name"]: table for table in listed["tables"]}
    assert (tables["readings"]["rows"], tables["readings"]["files"]) == (40, 1)
    assert tables["latest"]["kind"] == "view"
    explained = json.loads(run("readings", *place, "--json"))
    assert explained["partitioned_by"] == ["day(time)"]
    assert explained["journals"][0]["offset"] == 1
    assert explained["snapshots"][0]["added_rows"] == 40
    assert "When the reading was taken" in run("readings", *place)
    (first,) = json.loads(run("--series", "--name", "s0", *place, "--json"))
    assert (first["unit_in_words"], first["tags"]) == ("degrees Celsius", {"line": "3"})
    assert "line=3" in run("--series", *place)


def test_the_command_says_what_it_cannot_find(site: Site) -> None:
    """With the names that there are."""
    place = ["--lake", str(site.config.lake.folder)]
    for words_, said in (
        (["nothing", *place], "there are latest, alerts, models"),
        (["readings", *place], "when readings are registered"),
        (["--series", *place], "no table of series yet"),
        (["readings", "--series", *place], "exclude each other"),
    ):
        done = CliRunner().invoke(cli.main, ["catalog", *words_])
        assert (done.exit_code, said in done.output) == (2, True), done.output


def test_before_the_first_reading_there_are_views_only(site: Site) -> None:
    """And nothing is made by looking."""
    listed = json.loads(run("--lake", str(site.config.lake.folder), "--json"))
    assert {table["kind"] for table in listed["tables"]} == {"view"}
    assert load_readings(open_catalogue(site.config.lake)) is None
