"""Spark: the engine of many machines, or of all cores of this one (``local[*]``).

The executors read the lake's files, so they need the store's connector on their class path (``hadoop-aws`` for
S3, and so on: ``engines.spark.properties``) and its keys; a folder must be the same one everywhere. Results come
through the driver, which writes and commits them: of a rollup they are a small part of what was read. A region is
cut into pieces of devices, so that a result fits into the driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import ibis
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from cloud_sync.compute.engines.port import Engine, Rows
from cloud_sync.config import SparkOptions
from headrace.errors import LakeUnavailable
from headrace.lake.config import Lake
from headrace.limits.compute import SPARK_MAX_ROWS

#: What Hadoop calls a store whose addresses begin so.
_SCHEMES: Final = {"s3": "s3a"}

_DEFAULTS: Final = {
    "spark.app.name": "headrace-compute",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Spark's own quick reader does not know BYTE_STREAM_SPLIT, which many of the lake's files have for values
    # (cloud_sync/landing/encoding.py); the slow one, Parquet's, does.
    "spark.sql.parquet.enableVectorizedReader": "false",
}
_LOCAL: Final = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
}


class SparkEngine(Engine):
    """One session."""

    name = "spark"
    max_rows = SPARK_MAX_ROWS

    def __init__(self, options: SparkOptions, lake: Lake) -> None:
        self._lake = lake
        settings = _DEFAULTS | (_LOCAL if options.master.startswith("local") else {})
        builder: Any = SparkSession.builder.master(options.master)
        for key, value in (settings | options.properties).items():
            builder = builder.config(key, value)
        with _errors("start"):
            self._session: Any = builder.getOrCreate()
        self._session.sparkContext.setLogLevel("ERROR")
        self._ibis: Any = ibis.pyspark.connect(self._session)

    def __exit__(self, *_: object) -> None:
        self._session.stop()

    def read(self, rows: Rows) -> Any:
        from pyspark.sql import functions

        with _errors("read the lake's files"):
            frame = self._session.read.parquet(*map(self._path, rows.uris))
            frame = frame.filter(
                f"time >= timestamp_micros({rows.first_us}) AND time < timestamp_micros({rows.end_us})"
            ).filter(functions.col("device") >= rows.area.first_device)
            if rows.area.last_device is not None:
                frame = frame.filter(functions.col("device") <= rows.area.last_device)
            frame = frame.select(*rows.columns).withColumn(
                "time", functions.expr("unix_micros(time)")
            )
            frame.createOrReplaceTempView("source")
            return self._ibis.table("source")

    def batches(self, expression: Any) -> Iterator[pa.RecordBatch]:
        with _errors("compute"):
            result: pa.Table = self._session.sql(self._ibis.compile(expression)).toArrow()
        yield from result.to_batches()

    def _path(self, uri: str) -> str:
        scheme, _, rest = uri.partition("://")
        return f"{_SCHEMES.get(scheme, scheme)}://{rest}"


class _errors:  # noqa: N801 - used like a function
    """Spark's errors as ours: the first line of a page of Java."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from py4j.protocol import Py4JError

        if isinstance(error, (PySparkException, Py4JError, RuntimeError)):
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise LakeUnavailable(
                f"Spark cannot {self._what}: {first}",
                hint="is there a Java, and does engines.spark.master answer?",
            ) from error
