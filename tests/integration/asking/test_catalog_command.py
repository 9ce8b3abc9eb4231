"""``headrace catalog``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cloud_sync.lake.latest import LatestKeeper
from headrace import cli
from headrace.lake.catalogue import load_readings, open_catalogue
from tests import lakes
from tests.catalog_site import Site
from tests.journals import START_US, Journal, readings


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.journal.close()


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


def test_the_command_says_how_fresh_each_site_is(site: Site) -> None:
    """In the journal, landed, registered, and kept; another site is known by what it landed."""
    place = ["--data", str(site.folder)]

    def fresh() -> dict[str, Any]:
        return {each.pop("site"): each for each in json.loads(run(*place, "--json"))["sites"]}

    def at(minutes: int, us: int = 0) -> str:
        moment = datetime.fromtimestamp(START_US / 1e6, UTC) + timedelta(
            minutes=minutes, microseconds=us
        )
        return moment.isoformat().replace("+00:00", "Z")

    site.bring("pump", readings(4, series=1))
    LatestKeeper(site.config.lake).step()
    newest = at(0, us=3_000)
    assert fresh()["test"] == {
        "registered": newest,
        "received": newest,
        "landed": None,
        "waiting": 0,
    }
    late = START_US + 20 * 60_000_000
    site.bring("pump", readings(4, series=1, start_us=START_US + 10 * 60_000_000), received_at=late)
    found = fresh()["test"]
    assert (found["registered"], found["received"], found["waiting"]) == (
        at(10, us=3_000),
        at(20),
        0,
    )
    assert found["landed"] is not None
    site.journal.append("pump", readings(8, series=1, start_us=START_US + 30 * 60_000_000))
    site.path.land()
    site.journal.append("pump", readings(8, series=1, start_us=START_US + 40 * 60_000_000))
    found = fresh()["test"]
    assert (found["registered"], found["received"]) == (at(10, us=3_000), at(40, us=7_000))
    assert found["waiting"] == 8
    assert fresh().keys() == {"test"}
    other = Journal(site.folder / "other.db", site="harbour")
    other.append("crane", readings(3))
    config = replace(site.config, journal=replace(site.config.journal, path=other.path))
    lakes.pipeline(config).land()
    other.close()
    assert (fresh()["harbour"]["registered"], fresh()["harbour"]["waiting"]) == (None, 3)
    assert "harbour" in run(*place)


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
