"""The port to where expressions run.

An expression is Ibis and knows no engine. An engine brings rows of files into it, with times as integers, and
rows of its result out of it as Arrow. What an engine is asked for at once is bounded by the caller.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from cloud_sync.compute.days import Area
from cloud_sync.config import EngineName


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows of which files: times in [``first_us``, ``end_us``), and an area's devices."""

    uris: Sequence[str]
    columns: Sequence[str]
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
