"""The whole way on the clouds' stores: land, register in Iceberg, ask with SQL; the catalogue is a database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud_sync.config import CloudSync
from cloud_sync.lake.table import IcebergReadings
from headrace.lake.catalogue import READINGS, load_readings, open_catalogue
from headrace.lake.config import Catalogue, Lake
from headrace.lake.config import Journal as JournalPlace
from tests.journals import Journal, readings
from tests.lakes import ask, assert_each_once, identities, journalled, pipeline
from tests.servers.azurite import find_azurite, run_azurite
from tests.servers.fake_gcs import find_fake_gcs, run_fake_gcs
from tests.servers.hdfs import find_hdfs, run_hdfs

Server = tuple[Callable[[], object], Callable[[Path], AbstractContextManager[Any]]]

SERVERS: dict[str, Server] = {
    "gcs": (find_fake_gcs, run_fake_gcs),
    "azure": (find_azurite, run_azurite),
    "hdfs": (find_hdfs, run_hdfs),
}


@pytest.fixture(params=SERVERS)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    find, run = SERVERS[request.param]
    if find() is None:
        pytest.skip(f"no server for {request.param} is installed")
    with run(tmp_path / "server") as server:
        named = Catalogue(uri=f"sqlite:///{tmp_path}/catalogue.db")
        yield replace(server.lake("lakes/one"), catalogue=named)


def test_readings_reach_the_store_and_are_each_there_once(lake: Lake, tmp_path: Path) -> None:
    """Registered, landed only and in the journal's tail; dropped and put back; expired."""
    journal = Journal(tmp_path / "journal.db", site="harbour")
    config = CloudSync(journal=JournalPlace(path=journal.path), lake=lake)
    journal.append("crane", readings(200))
    made = pipeline(config)
    assert (made.land(), made.register()) == (200, 200)
    journal.append("crane", readings(100, seed=1))
    assert pipeline(config).land() == 100
    journal.append("crane", readings(50, seed=2))
    assert_each_once(identities(lake, journal.path), journalled(journal.path))
    assert pipeline(config).register() == 100
    assert sum(identities(lake, None).values()) == 300

    sql = "SELECT count(*) AS n, count(DISTINCT seq) AS seqs FROM readings WHERE device = 'crane'"
    assert ask(lake, journal.path, sql).to_pylist() == [{"n": 350, "seqs": 350}]

    table = IcebergReadings(lake)
    marks, known = table.watermarks(), table.state()
    assert known is not None
    open_catalogue(lake).drop_table(READINGS)
    assert IcebergReadings(lake).restore(known) == known
    table = IcebergReadings(lake)
    assert table.watermarks() == marks
    table.expire(1)
    kept = load_readings(open_catalogue(lake))
    assert kept is not None
    assert len(kept.snapshots()) == 1
    assert kept.scan().to_arrow().num_rows == 300


def test_secrets_stay_in_their_files(tmp_path: Path) -> None:
    """What pyiceberg is told of the lake holds the files' names, not what is in them."""
    from headrace.lake.opening import iceberg_properties, lake_of
    from headrace.lake.store_config import Azure

    key = tmp_path / "key"
    key.write_text("c2VjcmV0\n")
    lake = Lake(uri="abfss://c@a.dfs.core.windows.net/x", azure=Azure(account_key_file=key))
    properties = iceberg_properties(lake)
    assert "c2VjcmV0" not in json.dumps(properties)
    assert lake_of(properties) == lake
