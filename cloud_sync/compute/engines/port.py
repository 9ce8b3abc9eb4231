"""The port to where expressions run.

An expression is Ibis and knows no engine. An engine brings rows of files into it, with times as integers, and
rows of its result out of it as Arrow. What an engine is asked for at once is bounded by the caller.

The columns are known from the tables, so no engine opens a file to learn them, or is asked what it has made of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from cloud_sync.compute.days import Area, DataFile
from cloud_sync.config import EngineName

#: What an engine calls the rows that it has read.
SOURCE: Final = "source"


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows of which files: times in [``first_us``, ``end_us``), and an area's devices.

    ``columns`` are those that are wanted, labels as the texts that they are.
    """

    files: Sequence[DataFile]
    columns: pa.Schema
    first_us: int
    end_us: int
    area: Area


class Engine(AbstractContextManager["Engine"], ABC):
    """Runs Ibis expressions over files of the lake."""

    name: ClassVar[EngineName]

    #: Rows of readings that one expression may be asked about; a day of more is taken device by device.
    max_rows: ClassVar[int]

    @abstractmethod
    def read(self, rows: Rows) -> Any:
        """A table expression; ``time`` is microseconds since 1970 UTC as int64."""

    @abstractmethod
    def batches(self, expression: Any) -> Iterator[pa.RecordBatch]:
        """The rows of an expression.

        Raises:
            LakeUnavailable: a file cannot be read, or the engine ran out of something.
        """


def source(columns: pa.Schema) -> Any:
    """The rows as a table expression. Its columns are said and not looked up, which asks an engine nothing."""
    import ibis

    return ibis.table(ibis.Schema.from_pyarrow(pa.schema(map(_told, columns))), name=SOURCE)


def _told(field: pa.Field) -> pa.Field:
    return field.with_type(pa.int64()) if pa.types.is_timestamp(field.type) else field
