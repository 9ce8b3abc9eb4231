"""Spark: the same rollups and features as DuckDB to the last bit, on every store.

One session for all of it (``open_spark``): it takes as long to start as everything else together.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud_sync import config as configuration
from cloud_sync.compute import run as compute_run
from cloud_sync.config import CloudSync, Compute, SparkOptions
from headrace.errors import LakeUnavailable, UsageError
from headrace.lake.config import Catalogue, Lake
from headrace.lake.config import Journal as Place
from tests.computed import FIRST_US, MINUTE_US, ComputedLake, computed_lake
from tests.journals import Journal
from tests.servers.azurite import find_azurite, run_azurite
from tests.servers.fake_gcs import find_fake_gcs, run_fake_gcs
from tests.servers.hdfs import find_hdfs, run_hdfs
from tests.servers.weed import find_weed, run_weed

pytest.importorskip("pyspark", reason="pyspark is not installed: make spark-test")
if shutil.which("java") is None:
    pytest.skip("there is no Java (Debian: default-jre-headless): make spark-test", allow_module_level=True)  # fmt: skip

pytestmark = pytest.mark.timeout(600)

Store = Callable[[Path], AbstractContextManager[Lake]]
TABLES = ("readings_1m", "readings_1h", "readings_1d", "features_pumps")


def test_both_engines_make_the_same_tables_to_the_last_bit(
    tmp_path: Path, open_spark: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of values of all sizes, equal times, two units, texts, zeros of both signs, in no order; whoever reads the files."""
    pumps = Compute(
        job="pumps", kind="features", series={"flow": "flow", "vib": "vibration"}, windows=(5, 60),
        lags=(1, 7), devices=("pump-*",),
    )  # fmt: skip
    lake = computed_lake(tmp_path, pumps)
    chance = np.random.default_rng(7)
    for device in range(3):
        for name in ("flow", "vibration"):
            times = FIRST_US + chance.integers(0, 26 * 60, 1_500) * MINUTE_US + 1
            values = chance.normal(20, 3, 1_500) * 10.0 ** chance.integers(-9, 9, 1_500)
            lake.append(f"pump-{device}", name, times.tolist(), values.tolist(), unit="bar")
    lake.append("pump-0", "flow", [FIRST_US] * 3, [0.0, -0.0, 5.0], unit="psi")
    lake.append("fan-1", "note", [FIRST_US], [None], texts=["x"])
    lake.register()
    lake.run()
    lake.run("pumps")
    by_duckdb = [lake.table(name) for name in TABLES]
    assert all(len(rows) > 2 for rows in by_duckdb)
    for reader in ("spark", "arrow"):
        engine = open_spark(lake.config.lake, reader)
        monkeypatch.setattr(compute_run, "open_engine", lambda *_: engine)  # noqa: B023
        lake.run(engine="spark", since=0)
        if reader == "spark":  # features are made of rollups, whoever reads them
            lake.run("pumps", engine="spark", since=0)
        for name, expected in zip(TABLES, by_duckdb, strict=True):
            assert lake.table(name) == expected, (reader, name)
    lake.append("pump-1", "flow", [FIRST_US + MINUTE_US - 1], [3.0], unit="bar")
    lake.register()
    outcome = lake.run(engine="spark")[0]
    assert outcome.days == ("2026-11-20",)
    late = [row for row in lake.table("readings_1m") if row not in by_duckdb[0]]
    assert [(row["device"], row["name"], row["last"]) for row in late] == [("pump-1", "flow", 3.0)]
    lake.journal.close()


@contextmanager
def on_s3(folder: Path) -> Iterator[Lake]:
    with run_weed(folder) as weed:
        file = folder / "cloud_sync.toml"
        file.write_text(weed.config(folder / "journal.db", "spark"))
        yield configuration.load(file).lake


def of_server(run: Callable[[Path], AbstractContextManager[Any]]) -> Store:
    @contextmanager
    def store(folder: Path) -> Iterator[Lake]:
        with run(folder / "server") as server:
            named = Catalogue(uri=f"sqlite:///{folder}/catalogue.db")
            yield replace(server.lake("lakes/spark"), catalogue=named)

    return store


#: What finds a server, makes a lake on it, and who then reads on Spark.
STORES: dict[str, tuple[Callable[[], object], Store, str]] = {
    "s3": (find_weed, on_s3, "arrow"),
    "gcs": (find_fake_gcs, of_server(run_fake_gcs), "arrow"),
    "azure": (find_azurite, of_server(run_azurite), "arrow"),
    "hdfs": (find_hdfs, of_server(run_hdfs), "spark"),
}


@pytest.fixture(params=STORES)
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    """A lake on each kind of store; on those beside S3 with ``HEADRACE_LONG_TESTS``."""
    from cloud_sync.compute.engines.spark import reader_of

    find, store, reader = STORES[request.param]
    if find() is None:
        pytest.skip(f"no server for {request.param} is installed")
    if request.param != "s3" and not os.environ.get("HEADRACE_LONG_TESTS"):
        pytest.skip(f"{request.param} is for HEADRACE_LONG_TESTS")
    (tmp_path / "far").mkdir()
    with store(tmp_path / "far") as lake:
        assert reader_of(SparkOptions(), lake) == reader
        yield lake


def test_a_lake_elsewhere_needs_no_connector_of_spark(
    tmp_path: Path, open_spark: Callable[..., Any], elsewhere: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The executors read with the lake's own keys: rollups and features are DuckDB's to the last bit, late ones too."""
    pumps = Compute(job="pumps", kind="features", series={"flow": "flow"}, windows=(3,))
    journal = Journal(tmp_path / "journal.db", site="harbour")
    settings = CloudSync(journal=Place(path=journal.path), lake=elsewhere, compute=(pumps,))
    lake = ComputedLake(tmp_path, settings, journal)
    chance = np.random.default_rng(3)
    for device in ("pump-1", "pump-2", "pump-3"):
        times = FIRST_US + chance.integers(0, 26 * 60, 2_000) * MINUTE_US
        values = chance.normal(20, 3, 2_000)
        lake.append(device, "flow", times.tolist(), values.tolist(), unit="bar")
        lake.register()
    lake.run()
    lake.run("pumps")
    by_duckdb = [lake.table(name) for name in TABLES]
    engine = open_spark(elsewhere)
    monkeypatch.setattr(compute_run, "open_engine", lambda *_: engine)
    lake.run(engine="spark", since=0)
    lake.run("pumps", engine="spark", since=0)
    assert [lake.table(name) for name in TABLES] == by_duckdb
    lake.append("pump-2", "flow", [FIRST_US + 1], [3.0], unit="bar")
    lake.register()
    assert lake.run(engine="spark")[0].days == ("2026-11-20",)
    late = [row for row in lake.table("readings_1m") if row not in by_duckdb[0]]
    assert [row["device"] for row in late] == ["pump-2"]
    files = (elsewhere.s3.secret_key_file, elsewhere.azure.account_key_file)
    secrets = [path.read_text().strip() for path in files if path]
    known = "\n".join(value for _, value in engine._session.sparkContext.getConf().getAll())
    assert not [secret for secret in secrets if secret in known]
    journal.close()


@pytest.mark.parametrize("reader", ["spark", "arrow"])
def test_a_file_that_is_gone_is_named_in_one_line(
    tmp_path: Path, open_spark: Callable[..., Any], reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the pages that Java and an executor's Python write about it."""
    lake = computed_lake(tmp_path)
    lake.append("pump-1", "flow", [FIRST_US], [1.0])
    lake.register()
    (path,) = (lake.folder / "lake").glob("landing/**/*.parquet")
    path.unlink()
    engine = open_spark(lake.config.lake, reader)
    monkeypatch.setattr(compute_run, "open_engine", lambda *_: engine)
    with pytest.raises(LakeUnavailable, match=path.name) as found:
        lake.run(engine="spark")
    assert "\n" not in found.value.message
    lake.journal.close()


def test_an_engine_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what to type."""
    from cloud_sync.compute.engines.opening import open_engine
    from cloud_sync.config import Engines

    monkeypatch.setitem(sys.modules, "cloud_sync.compute.engines.spark", None)
    with pytest.raises(UsageError, match=r"headrace\[spark\]"):
        open_engine("spark", Engines(), Lake())
