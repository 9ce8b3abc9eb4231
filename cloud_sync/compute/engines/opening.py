"""Which engine a name stands for. Each is imported only where it is wanted."""

from __future__ import annotations

from cloud_sync.compute.engines.port import Engine
from cloud_sync.config import EngineName, Engines
from headrace.errors import UsageError
from headrace.lake.config import Lake


def open_engine(name: EngineName, engines: Engines, lake: Lake) -> Engine:
    """Start an engine.

    Raises:
        UsageError: its packages are not installed.
    """
    try:
        if name == "spark":
            from cloud_sync.compute.engines.spark import SparkEngine

            return SparkEngine(engines.spark, lake)
        from cloud_sync.compute.engines.duckdb import DuckdbEngine

        return DuckdbEngine(engines.duckdb, lake)
    except ModuleNotFoundError as error:
        extra = "spark" if name == "spark" else "compute"
        raise UsageError(
            f'engine = "{name}" needs the Python package {error.name}, which is not installed',
            hint=f"pip install 'headrace[{extra}]'",
        ) from error
