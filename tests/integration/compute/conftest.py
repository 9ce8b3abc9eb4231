"""Fixtures that several of these tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud_sync.config import SparkOptions
from headrace.lake.config import Lake
from tests.computed import ComputedLake, computed_lake

DEPLOY = Path(__file__).parents[3] / "deploy" / "spark"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[ComputedLake]:
    """A data folder without readings."""
    made = computed_lake(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture(scope="module")
def open_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Engines of one session that is not stopped between runs; its Python workers find what this process finds."""
    from cloud_sync.compute.engines.spark import SparkEngine

    class Kept(SparkEngine):
        def __exit__(self, *_: object) -> None:
            return None

    before = dict(os.environ)
    os.environ |= {
        "PYTHONPATH": os.pathsep.join([str(DEPLOY), str(DEPLOY.parents[1])]),
        "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(tmp_path_factory.mktemp("spark")),
    }  # fmt: skip
    sys.path.insert(0, str(DEPLOY))
    options = SparkOptions(
        master="local[2]",
        properties={"spark.sql.shuffle.partitions": "2", "spark.driver.memory": "1g"},
    )
    yield lambda lake, reader="auto": Kept(replace(options, reader=reader), lake)
    SparkEngine.__exit__(Kept(options, Lake()))
    sys.path.remove(str(DEPLOY))
    os.environ.clear()
    os.environ |= before
