"""The table of series, and the words of tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from cloud_sync.catalog.keeper import SeriesKeeper
from cloud_sync.compute.targets import rollup_targets
from cloud_sync.config import Maintain, Register
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.maintain.maintainer import Maintainer
from headrace.catalog import words
from headrace.errors import LakeError
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from tests import lakes
from tests.catalog_site import Site
from tests.journals import START_US, batch, readings


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
