"""DuckDB, in this process: the engine of one machine.

Files on this machine are read by DuckDB itself, others by Arrow with the lake's own file system, as queries
do it. Memory is bounded by ``memory_limit``; what does not fit is spilled (``headrace.lake.spill``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import ibis
import pyarrow as pa
from pyarrow import dataset

from cloud_sync.compute.engines.port import SOURCE, Engine, Rows, source
from cloud_sync.config import DuckdbOptions
from headrace.errors import LakeUnavailable
from headrace.lake.config import Lake
from headrace.lake.opening import arrow_filesystem, arrow_path
from headrace.lake.spill import Spill
from headrace.limits.compute import DUCKDB_BATCH_ROWS, DUCKDB_MAX_ROWS


class DuckdbEngine(Engine):
    """One connection, to a database in memory."""

    name = "duckdb"
    max_rows = DUCKDB_MAX_ROWS

    def __init__(self, options: DuckdbOptions, lake: Lake) -> None:
        self._lake = lake
        self._spill = Spill(lake)
        settings: dict[str, Any] = {
            "memory_limit": f"{options.memory_mb}MiB",
            "temp_directory": str(self._spill.folder),
            # Rows are ordered where order counts; keeping it elsewhere takes memory.
            "preserve_insertion_order": "false",
        }
        if options.threads:
            settings["threads"] = options.threads
        self._ibis: Any = ibis.duckdb.connect(**settings)
        self._db: Any = self._ibis.con
        # Told with the others, DuckDB 2.0 shows it and does not heed it.
        self._db.execute(f"SET max_temp_directory_size = '{self._spill.max_bytes}B'")
        for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
            self._db.execute(f"SET {name} = false")

    def __exit__(self, *_: object) -> None:
        self._ibis.disconnect()
        self._spill.close()

    def read(self, rows: Rows) -> Any:
        columns = ", ".join(
            "epoch_us(time) AS time" if name == "time" else f'"{name}"'
            for name in rows.columns.names
        )
        last = rows.area.last_device
        devices = f" AND device <= {_text(last)}" if last is not None else ""
        with _errors():
            self._db.execute(
                f"CREATE OR REPLACE TEMP VIEW {SOURCE} AS SELECT {columns} FROM {self._files(rows)} "  # noqa: S608 - ours
                f"WHERE time >= make_timestamptz({rows.first_us}) AND time < make_timestamptz({rows.end_us}) "
                f"AND device >= {_text(rows.area.first_device)}{devices}"
            )
        return source(rows.columns)

    def batches(self, expression: Any) -> Iterator[pa.RecordBatch]:
        with _errors():
            result = self._db.sql(self._ibis.compile(expression))
            yield from result.to_arrow_reader(DUCKDB_BATCH_ROWS)

    def _files(self, rows: Rows) -> str:
        if not self._lake.is_local:
            keys = [arrow_path(file.uri) for file in rows.files]
            files = arrow_filesystem(self._lake)
            self._db.register(
                "elsewhere", dataset.dataset(keys, filesystem=files, format="parquet")
            )
            return "elsewhere"
        paths = ", ".join(_text(file.uri.removeprefix("file://")) for file in rows.files)
        return f"read_parquet([{paths}], hive_partitioning = false, union_by_name = true)"


@contextmanager
def _errors() -> Iterator[None]:
    """DuckDB's and Arrow's errors as ours. A file may be gone that was there when the run looked: the next looks again."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise LakeUnavailable(
            f"DuckDB has not enough memory, or disk for what does not fit: {_line(error)}",
            hint="raise engines.duckdb.memory_mb, or free space on the lake's disk",
        ) from error
    except (duckdb.Error, OSError, pa.ArrowException) as error:
        raise LakeUnavailable(f"a file cannot be computed from: {_line(error)}") from error


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
