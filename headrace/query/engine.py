"""DuckDB over the sources: in memory, in UTC, read-only and locked.

Local files are read by DuckDB itself, which opens only the files, row groups and columns that a
statement needs; files elsewhere go through Arrow's dataset, so that no DuckDB extension is needed. When
the views stand, access to the outside is cut down to the very files of the views and the
configuration is locked; and only statements that read are accepted (``statement``). So a statement from
a stranger can cost time and memory, but read or write nothing else. An engine is one look at the
sources, and has its own DuckDB: what one statement is allowed to open is no matter of another's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa
from pyarrow import dataset

from headrace.errors import LakeError, LakeUnavailable, QueryError, QueryStopped
from headrace.lake.config import Lake
from headrace.lake.opening import arrow_filesystem, arrow_path
from headrace.lake.spill import Spill
from headrace.limits.query import QUERY_BATCH_ROWS
from headrace.query import statement, views
from headrace.query.latest import Latest
from headrace.query.series import Series
from headrace.query.sources import File, Sources
from headrace.query.statement import Parameters

#: In the names of DuckDB's temporary files.
_SPILLED: Final = "duckdb_temp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one statement may use; None is all cores, 80 % of memory, half of what the disk has free."""

    memory_bytes: int | None = None
    spill_bytes: int | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class DerivedFiles:
    """A derived table: its name, its columns and the files of it that are wanted."""

    name: str
    schema: pa.Schema
    files: Sequence[File]


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """What is there beside readings: the parts of ``latest`` and of ``series``, and derived tables.

    ``views``: those that are made over readings, where it is known that no other is asked; each costs a
    look at a file.
    """

    latest: Latest | None = None
    series: Series | None = None
    derived: Sequence[DerivedFiles] = ()
    views: frozenset[str] | None = None


class Engine:
    """The views over one look at the sources."""

    def __init__(
        self,
        sources: Sources,
        lake: Lake,
        *,
        more: More | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._spill = Spill(lake)
        self._db: Any = duckdb.connect(config={"temp_directory": str(self._spill.folder)})
        self._lake = lake
        self._local: list[str] = []
        with self._errors():
            self._set_up(sources, more or More(), bounds or Bounds())

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of memory and temporary files."""
        self._db.close()
        self._spill.close()

    def interrupt(self) -> None:
        """End the statement that is running, from another thread: it raises QueryStopped."""
        with suppress(duckdb.ConnectionException):  # it has ended, and all of this is closed
            self._db.interrupt()

    def query(self, sql: str, parameters: Parameters = None) -> pa.RecordBatchReader:
        """The result of one reading statement, as it comes.

        Raises:
            QueryError: not one statement, not a reading one, or wrong.
        """
        with self._errors():
            checked = statement.read(self._db, sql, parameters)
            options = {} if checked.parameters is None else {"params": checked.parameters}
            reader: pa.RecordBatchReader = self._db.sql(sql, **options).to_arrow_reader(
                QUERY_BATCH_ROWS
            )
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader))

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                with self._errors():
                    batch = reader.read_next_batch()
            except StopIteration:
                return
            yield batch

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """A damaged file is the lake's matter, whatever DuckDB calls it."""
        try:
            with query_errors():
                yield
        except QueryError as error:
            if any(path in error.message for path in self._local):
                raise LakeError(f"a file of the lake cannot be read: {error.message}") from error
            raise

    def _set_up(self, sources: Sources, more: More, bounds: Bounds) -> None:
        self._db.execute("SET TimeZone = 'UTC'")
        self._db.execute("SET python_enable_replacements = false")
        # One footer is read to plan and once more to run; this keeps it in between.
        self._db.execute("SET parquet_metadata_cache = true")
        self._bound(bounds)
        self._db.register("tail", sources.tail)
        statements = [views.readings(["tail", *self._parts("readings", sources.files)])]
        over = {"alerts": views.ALERTS, "models": views.MODELS}
        over |= {"latest": self._latest(more.latest), "series": self._series(more.series)}
        statements += [
            sql for name, sql in over.items() if more.views is None or name in more.views
        ]
        statements += self._derived(more.derived)
        self._db.execute("SET allowed_paths = ?", [self._local])
        for each in statements:
            self._db.execute(each)
        self._lock()

    def _bound(self, bounds: Bounds) -> None:
        if bounds.memory_bytes is not None:
            self._db.execute(f"SET memory_limit = '{bounds.memory_bytes}B'")
        spill = self._spill.max_bytes if bounds.spill_bytes is None else bounds.spill_bytes
        self._db.execute(f"SET max_temp_directory_size = '{spill}B'")
        if bounds.threads is not None:
            self._db.execute(f"SET threads = {bounds.threads}")

    def _parts(self, name: str, files: Sequence[File], *, by_name: bool = False) -> list[str]:
        """Files as parts of a view: those on this machine as they are, others registered."""
        local = [_path(file) for file in files if _is_local(file)]
        remote = [file.uri for file in files if not _is_local(file)]
        self._local += local
        parts = [views.parquet(local, by_name=by_name)] if local else []
        if remote:
            self._db.register(f"{name}_elsewhere", _dataset(remote, self._lake))
            parts.append(f'"{name}_elsewhere"')
        return parts

    def _latest(self, latest: Latest | None) -> str:
        if latest is None:
            return views.latest(["readings"])
        self._db.register("latest_known", latest.known)
        self._db.register("latest_tail", latest.since.tail)
        files = self._parts("latest", latest.since.files)
        return views.latest(["latest_known", "latest_tail", *files])

    def _series(self, series: Series | None) -> str:
        if series is None:
            return views.series(["readings"])
        self._db.register("series_known", series.schema.empty_table())
        self._db.register("series_tail", series.since.tail)
        since = self._parts("series_since", series.since.files)
        known = self._parts("series_kept", series.files, by_name=True)
        return views.series(["series_tail", *since], ["series_known", *known])

    def _derived(self, tables: Sequence[DerivedFiles]) -> list[str]:
        if not tables:
            return []
        return [f'CREATE SCHEMA "{views.LAKE}"', views.SEARCH_PATH, *map(self._view_of, tables)]

    def _view_of(self, table: DerivedFiles) -> str:
        name = f"lake_{table.name}"
        self._db.register(name, table.schema.empty_table())
        parts = self._parts(name, table.files, by_name=True)
        return views.derived(table.name, [f'"{name}"', *parts])

    def _lock(self) -> None:
        for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
            self._db.execute(f"SET {name} = false")
        self._db.execute("SET enable_external_access = false")
        self._db.execute("SET lock_configuration = true")


def _dataset(paths: list[str], lake: Lake) -> dataset.Dataset:
    keys = [arrow_path(path) for path in paths]
    return dataset.dataset(keys, filesystem=arrow_filesystem(lake), format="parquet")


def _is_local(file: File) -> bool:
    return "://" not in file.uri or file.uri.startswith("file://")


def _path(file: File) -> str:
    return file.uri.removeprefix("file://")


@contextmanager
def query_errors() -> Iterator[None]:
    """DuckDB's and Arrow's errors as ours."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryStopped("the statement was stopped") from error
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise QueryError(
            f"the statement needs more memory than it may have: {statement.one_line(error)[:200]}",
            hint="ask for less at once: fewer devices, a shorter time, an aggregate",
        ) from error
    except duckdb.IOException as error:
        if _SPILLED in str(error):
            raise QueryError(
                "the statement needs more room for temporary files than the disk has",
                hint="ask for less at once: fewer devices, a shorter time, an aggregate",
            ) from error
        raise LakeUnavailable(
            f"a file of the lake cannot be read: {statement.one_line(error)}"
        ) from error
    except duckdb.Error as error:
        raise QueryError(statement.one_line(error)) from error
    except (OSError, pa.ArrowException) as error:
        if "INTERRUPT Error" in str(error):
            raise QueryStopped("the statement was stopped") from error
        raise LakeUnavailable(f"the lake cannot be read: {statement.one_line(error)}") from error
