"""Load all that an image should be able to load; run by the image's python, beside ``in_*.py``."""

import importlib
import pkgutil
from collections.abc import Set
from types import ModuleType

#: Needed by parts that are for another program, or for an extra that few sites have.
_ELSEWHERE = {
    "apscheduler", "azure", "boto3", "botocore", "confluent_kafka", "duckdb", "fastavro", "flatbuffers",
    "fsspec", "google.api_core", "google.auth", "google.cloud", "hdfs_native", "ibis", "nanoarrow",
    "opentelemetry", "pandas", "polars", "psycopg", "py4j", "pyiceberg", "pymodbus", "pyspark", "rich",
    "serial", "sqlalchemy", "sqlite_utils", "thrift", "ai_edge_litert",
}  # fmt: skip


def load_modules(*packages: ModuleType, without: Set[str] = frozenset()) -> int:
    """Import every module of our packages, but those that want ``without``; the number that is there.

    Raises:
        ModuleNotFoundError: for want of something that this image should have.
    """
    loaded = 0
    for package in packages:
        for module in pkgutil.walk_packages(
            package.__path__, f"{package.__name__}.", onerror=lambda _name: None
        ):
            if module.name.endswith("__main__"):
                continue
            try:
                importlib.import_module(module.name)
                loaded += 1
            except ModuleNotFoundError as error:
                if not _is_below(error.name or "", _ELSEWHERE | without):
                    raise
    return loaded


def _is_below(name: str, known: Set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in known)


def use_numpy(without: Set[str]) -> None:
    """Load each part of NumPy that is loaded when it is named, but ``without``, and hand columns to Arrow."""
    import numpy as np
    import pyarrow as pa

    missing = set()
    for name in dir(np):
        try:
            getattr(np, name)
        except ImportError:
            missing.add(name)
    assert missing <= without, missing
    assert pa.array(
        np.unique(np.array([2, 1, 2], np.int32)), mask=np.array([False, True])
    ).null_count
