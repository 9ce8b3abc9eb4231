"""An answer: read once, as what the reader works with. pandas and polars are there if they are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pyarrow as pa

from headrace.errors import UsageError


class Result:
    """The rows of an answer, kept as Arrow columns; ``len``, iteration by rows, and conversions."""

    def __init__(self, read: Callable[[], pa.Table]) -> None:
        self._read = read
        self._table: pa.Table | None = None

    def to_arrow(self) -> pa.Table:
        """A ``pyarrow.Table``. The question is asked when the first of these methods is called.

        Raises:
            QueryError: the statement is wrong, or needs more than it may have.
            LakeError: the lake, or the endpoint, does not answer.
        """
        if self._table is None:
            self._table = self._read()
        return self._table

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``; labels are categories, which take a byte or two a row.

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


def _needs(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"to_{name}() needs the package {name}, which is not installed",
            hint=f"pip install {name}, or use to_arrow()",
        ) from error
