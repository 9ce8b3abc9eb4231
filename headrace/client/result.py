"""An answer: read once, as what the reader works with. pandas and polars are there if they are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import pyarrow as pa

from headrace.errors import UsageError

Stream = Callable[[], AbstractContextManager[pa.RecordBatchReader]]


class Result:
    """The rows of an answer, kept as Arrow columns; ``len``, iteration by rows, and conversions.

    Times have the zone UTC. ``batches`` is for answers that are larger than memory.
    """

    def __init__(self, stream: Stream, check: Callable[[Set[str]], None] | None = None) -> None:
        self._stream = stream
        self._check = check
        self._table: pa.Table | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """``pyarrow.RecordBatch`` by batch, as they come; nothing is kept, and each call asks anew.

        Raises:
            QueryError: the statement is wrong, or needs more than it may have.
            LakeError: the lake, or the endpoint, does not answer.
            UsageError: there is no such device, or name.
        """
        seen: set[str] = set()
        with self._stream() as reader:
            for batch in reader:
                if self._check is not None:
                    seen.update(batch.column("name").unique().to_pylist())
                if batch.num_rows:
                    yield batch
        if self._check is not None:
            self._check(seen)

    def to_arrow(self) -> pa.Table:
        """A ``pyarrow.Table``. The question is asked when the first of these methods is called.

        Raises:
            As ``batches``.
        """
        if self._table is None:
            with self._stream() as reader:
                table = reader.read_all()
            if self._check is not None:
                self._check(set(table.column("name").unique().to_pylist()))
            self._table = table
        return self._table

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``.

        Raises:
            UsageError: pandas is not installed.
        """
        _needs("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """A ``polars.DataFrame``.

        Raises:
            UsageError: polars is not installed.
        """
        return _needs("polars").from_arrow(self.to_arrow())

    def to_pylist(self) -> list[dict[str, Any]]:
        """A dictionary for each row: for few rows."""
        rows: list[dict[str, Any]] = self.to_arrow().to_pylist()
        return rows

    def __len__(self) -> int:
        return int(self.to_arrow().num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.to_arrow().to_batches():
            yield from batch.to_pylist()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        if self._table is None:
            return "<Result, not asked yet: to_pandas(), to_polars(), to_arrow(), batches()>"
        return f"<Result of {self._table.num_rows:,} rows: {', '.join(self._table.column_names)}>"


def _needs(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"to_{name}() needs the package {name}, which is not installed",
            hint=f"pip install {name}, or use to_arrow()",
        ) from error
