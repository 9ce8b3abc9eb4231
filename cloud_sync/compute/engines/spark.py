"""Spark: the engine of many machines, or of all cores of this one (``local[*]``).

Who reads the lake's files in the executors is ``engines.spark.reader``. ``spark``: Spark's own Parquet reader, for stores
that a plain Spark can open, folders and HDFS; others need its connector and a second copy of the keys. ``arrow``: Headrace's
readers, in Python, with the keys that ``[lake]`` names, for every store that Headrace knows (``executor``). ``auto`` is the
first where it works as it is, else the second. A folder must be the same one everywhere.

Results come through the driver, which writes and commits them: of a rollup they are a small part of what was read. A
region is cut into pieces of devices, so that a result fits into the driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import ibis
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from cloud_sync.compute.engines.executor import ShareReader
from cloud_sync.compute.engines.port import SOURCE, Engine, Rows, source
from cloud_sync.compute.engines.shares import shares
from cloud_sync.config import SparkOptions
from headrace.errors import LakeUnavailable
from headrace.lake.config import Lake
from headrace.limits.compute import SPARK_MAX_ROWS

#: What a Spark without further jars can open.
_OWN: Final = frozenset({"file", "hdfs"})

#: What Hadoop calls a store whose addresses begin so.
_SCHEMES: Final = {"s3": "s3a"}

_SHARES: Final = "pieces array<struct<uri: string, first: bigint, end: bigint>>"
_TYPES: Final = {pa.string(): "string", pa.int64(): "bigint", pa.float64(): "double"}

_DEFAULTS: Final = {
    "spark.app.name": "headrace-compute",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
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
        self._read = self._by_arrow if reader_of(options, lake) == "arrow" else self._by_spark
        settings = _DEFAULTS | (_LOCAL if options.master.startswith("local") else {})
        builder: Any = SparkSession.builder.master(options.master)
        for key, value in (settings | options.properties).items():
            builder = builder.config(key, value)
        with _errors("start", "is there a Java, and does engines.spark.master answer?"):
            self._session: Any = builder.getOrCreate()
        self._session.sparkContext.setLogLevel("ERROR")
        self._ibis: Any = ibis.pyspark.connect(self._session)

    def __exit__(self, *_: object) -> None:
        self._session.stop()

    def read(self, rows: Rows) -> Any:
        with _errors("read the lake's files"):
            self._read(rows).createOrReplaceTempView(SOURCE)
        return source(rows.columns)

    def batches(self, expression: Any) -> Iterator[pa.RecordBatch]:
        with _errors("compute"):
            result: pa.Table = self._session.sql(self._ibis.compile(expression)).toArrow()
        yield from result.to_batches()

    def _by_arrow(self, rows: Rows) -> Any:
        """A task a share: its pieces are a row of a table, which the task maps to readings."""
        context = self._session.sparkContext
        found = [(share,) for share in shares(rows.files, context.defaultParallelism)]
        frame = self._session.createDataFrame(context.parallelize(found, len(found)), _SHARES)
        reader = ShareReader(self._lake, rows.columns, rows.first_us, rows.end_us, rows.area)
        return frame.mapInArrow(reader, _columns(rows.columns, time="bigint"))

    def _by_spark(self, rows: Rows) -> Any:
        from pyspark.sql import functions

        columns = _columns(rows.columns, time="timestamp")
        uris = [self._path(file.uri) for file in rows.files]
        frame = self._session.read.schema(columns).parquet(*uris)
        frame = frame.filter(
            f"time >= timestamp_micros({rows.first_us}) AND time < timestamp_micros({rows.end_us})"
        ).filter(functions.col("device") >= rows.area.first_device)
        if rows.area.last_device is not None:
            frame = frame.filter(functions.col("device") <= rows.area.last_device)
        return frame.withColumn("time", functions.expr("unix_micros(time)"))

    def _path(self, uri: str) -> str:
        scheme, _, rest = uri.partition("://")
        return f"{_SCHEMES.get(scheme, scheme)}://{rest}"


def reader_of(options: SparkOptions, lake: Lake) -> str:
    """Who reads the lake's files: ``arrow`` or ``spark``."""
    if options.reader != "auto":
        return options.reader
    return "spark" if lake.scheme in _OWN else "arrow"


def _columns(columns: pa.Schema, *, time: str) -> str:
    """Columns in Spark's words."""
    return ", ".join(f"`{field.name}` {_TYPES.get(field.type, time)}" for field in columns)


class _errors:  # noqa: N801 - used like a function
    """Spark's errors as ours: the first line of a page of Java, or what a page of Python ends with."""

    def __init__(self, what: str, hint: str = "") -> None:
        self._what = what
        self._hint = hint

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from py4j.protocol import Py4JError

        if isinstance(error, (PySparkException, Py4JError, RuntimeError)):
            raise LakeUnavailable(
                f"Spark cannot {self._what}: {said(str(error)) or type(error).__name__}",
                hint=self._hint,
            ) from error


def said(text: str) -> str:
    """What an error of Spark's says in one line."""
    # An executor's Python ends its page with the error, at the beginning of a line.
    _, traceback, page = text.partition("Traceback (most recent call last):")
    ends = re.findall(r"^\w[\w.]*: .*", page, re.MULTILINE) if traceback else []
    return str(ends[0]) if ends else next(iter(text.strip().splitlines()), "")
