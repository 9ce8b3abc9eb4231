"""Reading a share of the lake's files where Spark's executors run: with Arrow, as every other reader of the lake does it.

So whatever store Headrace knows can be computed from, and no connector of Spark's is needed. What goes to the executors is
the lake's configuration, which names the files of its keys and does not hold them; they are read there.

Only the columns that are wanted are read, and of them the row groups that can hold the rows that are.
Knows nothing of Spark but that it passes batches: ``DataFrame.mapInArrow``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import dataset, fs

from cloud_sync.compute.engines.port import Rows
from cloud_sync.compute.engines.row_groups import part
from cloud_sync.compute.engines.shares import Piece
from headrace.lake.config import Lake
from headrace.lake.opening import arrow_filesystem
from headrace.limits.compute import SPARK_BATCH_ROWS


@dataclass(frozen=True, slots=True)
class ShareReader:
    """Reads pieces: of each the ``rows`` that are wanted (whose files stay behind), with times as integers."""

    lake: Lake
    rows: Rows

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of ``pieces``, one row a share, become batches of readings."""
        files = arrow_filesystem(self.lake)
        for batch in batches:
            for share in batch.column("pieces").to_pylist():
                for piece in share:
                    yield from self._read(files, Piece(**piece))

    def _read(self, files: fs.FileSystem, piece: Piece) -> Iterator[pa.RecordBatch]:
        found = part(files, piece.uri, self.rows, piece)
        if found is None:
            return
        columns = self.rows.columns
        scanner = dataset.Scanner.from_fragment(
            found, schema=columns, columns={field.name: _as_told(field) for field in columns},
            filter=self._wanted(), batch_size=SPARK_BATCH_ROWS, batch_readahead=1, use_threads=False,
        )  # fmt: skip
        yield from scanner.to_batches()

    def _wanted(self) -> dataset.Expression:
        rows, time, device = self.rows, dataset.field("time"), dataset.field("device")
        kind = rows.columns.field("time").type
        found = (time >= pa.scalar(rows.first_us, kind)) & (time < pa.scalar(rows.end_us, kind))
        found &= device >= rows.area.first_device
        return found if rows.area.last_device is None else found & (device <= rows.area.last_device)


def _as_told(field: pa.Field) -> dataset.Expression:
    column = dataset.field(field.name)
    return column.cast(pa.int64()) if pa.types.is_timestamp(field.type) else column
