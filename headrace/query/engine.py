"""DuckDB over the sources: in memory, in UTC, read-only and locked.

Local files are read by DuckDB itself, which opens only the files, row groups and columns that a
statement needs; files on S3 go through Arrow's dataset, so that no DuckDB extension is needed. When
the views stand, access to the outside is cut down to the very files of the views and the
configuration is locked; and only statements that read are accepted. So a statement from a stranger
can cost time and memory, but read or write nothing else.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import duckdb
import pyarrow as pa
from pyarrow import dataset

from headrace.errors import LakeUnavailable, QueryError
from headrace.lake.config import Lake
from headrace.limits.lake import QUERY_BATCH_ROWS
from headrace.query import views
from headrace.query.sources import Sources

_READING: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


class Engine:
    """The views over one look at the sources."""

    def __init__(self, sources: Sources, lake: Lake) -> None:
        self._spill = tempfile.TemporaryDirectory(prefix="headrace-query-")
        self._db: Any = duckdb.connect(config={"temp_directory": self._spill.name})
        with _query_errors():
            self._set_up(sources, lake)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of memory and temporary files."""
        self._db.close()
        self._spill.cleanup()

    def query(self, sql: str) -> pa.RecordBatchReader:
        """The result of one reading statement, as it comes.

        Raises:
            QueryError: not one statement, not a reading one, or wrong.
        """
        with _query_errors():
            statements = self._db.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"expected one statement, got {len(statements)}")
        if statements[0].type not in _READING:
            kind = statements[0].type.name
            raise QueryError(f"only statements that read are accepted (SELECT …), got {kind}")
        with _query_errors():
            reader: pa.RecordBatchReader = self._db.sql(sql).to_arrow_reader(QUERY_BATCH_ROWS)
        return pa.RecordBatchReader.from_batches(reader.schema, _batches(reader))

    def _set_up(self, sources: Sources, lake: Lake) -> None:
        self._db.execute("SET TimeZone = 'UTC'")
        self._db.execute("SET python_enable_replacements = false")
        parts = ["tail"]
        self._db.register("tail", sources.tail)
        local = [path.removeprefix("file://") for path in sources.files if not _is_s3(path)]
        remote = [path for path in sources.files if _is_s3(path)]
        if local:
            parts.append(views.parquet(local))
            self._db.execute("SET allowed_paths = ?", [local])
        if remote:
            self._db.register("remote", _dataset(remote, lake))
            parts.append("remote")
        for statement in (views.readings(parts), views.SERIES, views.ALERTS, views.MODELS):
            self._db.execute(statement)
        for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
            self._db.execute(f"SET {name} = false")
        self._db.execute("SET enable_external_access = false")
        self._db.execute("SET lock_configuration = true")


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            with _query_errors():
                batch = reader.read_next_batch()
        except StopIteration:
            return
        yield batch


def _dataset(paths: list[str], lake: Lake) -> dataset.Dataset:
    from headrace.lake.s3 import arrow_filesystem

    keys = [path.partition("://")[2] for path in paths]
    return dataset.dataset(keys, filesystem=arrow_filesystem(lake), format="parquet")


def _is_s3(path: str) -> bool:
    return path.startswith(("s3://", "s3a://"))


@contextmanager
def _query_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.IOException as error:
        raise LakeUnavailable(f"a file of the lake cannot be read: {_one_line(error)}") from error
    except duckdb.Error as error:
        raise QueryError(_one_line(error)) from error
    except (OSError, pa.ArrowException) as error:
        raise LakeUnavailable(f"the lake cannot be read: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    """DuckDB's message without the excerpt of the statement."""
    text = str(error).partition(f"{os.linesep}{os.linesep}LINE")[0]
    return " ".join(text.split())
