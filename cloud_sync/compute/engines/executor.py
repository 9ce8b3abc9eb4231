"""Reading a share of the lake's files where Spark's executors run: with Arrow, as every other reader of the lake does it.

So whatever store Headrace knows can be computed from, and no connector of Spark's is needed. What goes to the executors is
the lake's configuration, which names the files of its keys and does not hold them; they are read there.

Only the columns that are wanted are read, and of them the row groups whose statistics can hold the rows that are.
Knows nothing of Spark but that it passes batches: ``DataFrame.mapInArrow``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import dataset, fs

from cloud_sync.compute.days import Area
from cloud_sync.compute.engines.shares import Piece
from headrace.lake.config import Lake
from headrace.lake.opening import arrow_filesystem, arrow_path
from headrace.limits.compute import SPARK_BATCH_ROWS

_FORMAT = dataset.ParquetFileFormat()


@dataclass(frozen=True, slots=True)
class ShareReader:
    """Reads pieces: the rows of an area whose times lie in [``first_us``, ``end_us``); times as integers."""

    lake: Lake
    columns: pa.Schema
    first_us: int
    end_us: int
    area: Area

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of ``pieces``, one row a share, become batches of readings."""
        files = arrow_filesystem(self.lake)
        for batch in batches:
            for share in batch.column("pieces").to_pylist():
                for piece in share:
                    yield from self.rows(files, Piece(**piece))

    def rows(self, files: fs.FileSystem, piece: Piece) -> Iterator[pa.RecordBatch]:
        """The rows of one piece."""
        part = self.part(_FORMAT.make_fragment(arrow_path(piece.uri), files), piece)
        if part is None:
            return
        scanner = dataset.Scanner.from_fragment(
            part, schema=self.columns, columns=self._expressions(), filter=self._wanted(),
            batch_size=SPARK_BATCH_ROWS, batch_readahead=1, use_threads=False,
        )  # fmt: skip
        yield from scanner.to_batches()

    def part(self, fragment: Any, piece: Piece) -> Any:
        """The row groups that begin in the piece and can hold what is wanted; None where there are none."""
        footer = fragment.metadata
        begins = [_begins(footer.row_group(number)) for number in range(footer.num_row_groups)]
        found = [number for number, at in enumerate(begins) if piece.first <= at < piece.end]
        part = fragment.subset(row_group_ids=found).subset(self._wanted(), schema=self.columns)
        return part if part.num_row_groups else None

    def _wanted(self) -> dataset.Expression:
        time, device = dataset.field("time"), dataset.field("device")
        kind = self.columns.field("time").type
        found = (time >= pa.scalar(self.first_us, kind)) & (time < pa.scalar(self.end_us, kind))
        found &= device >= self.area.first_device
        return found if self.area.last_device is None else found & (device <= self.area.last_device)

    def _expressions(self) -> dict[str, dataset.Expression]:
        return {field.name: _as_told(field) for field in self.columns}


def _as_told(field: pa.Field) -> dataset.Expression:
    column = dataset.field(field.name)
    return column.cast(pa.int64()) if pa.types.is_timestamp(field.type) else column


def _begins(group: Any) -> int:
    """The first byte of a row group."""
    first = group.column(0)
    dictionary: int | None = first.dictionary_page_offset
    return first.data_page_offset if dictionary is None else dictionary
