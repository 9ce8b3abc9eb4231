"""A table of another version: nothing is rewritten, nothing is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import DoubleType, NestedField

from cloud_sync.config import Maintain
from cloud_sync.lake.table import READINGS_COLUMNS
from cloud_sync.maintain.maintainer import Maintainer
from headrace.catalog import evolution, words
from headrace.catalog.evolution import OLDEST_KEY, VERSION_KEY, evolve
from headrace.errors import LakeError, LakeNewer
from headrace.lake.manifests import read_manifest, unregistered
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from headrace.resend import PREFIX as RESEND
from headrace.resend import QUARANTINE_PREFIX
from tests import lakes
from tests.catalog_site import Site
from tests.journals import START_US, readings


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()


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
