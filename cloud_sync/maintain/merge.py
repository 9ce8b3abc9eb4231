"""Many sorted runs become one, in columns and in bounded memory.

Of each run one batch is in memory. The smallest of the batches' last rows is the bound: every row up to it
that there is in any run is in memory now, so these rows are sorted and handed on, and the batches that are used
up are followed by the next of their runs. A step gives a batch at least; nothing is compared row by row.

A run that is not in its order (a file of another writer) is found out when it is read, and named; the
caller starts again and has it sorted as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO

from cloud_sync.maintain.order import Piece, Series, order_of, piece, sort
from cloud_sync.maintain.runs import File, Run
from headrace.errors import LakeError, LakeUnavailable
from headrace.limits.maintain import (
    MERGE_BYTES,
    MERGE_MAX_ROWS,
    MERGE_MIN_BYTES,
    MERGE_MIN_ROWS,
    SORT_MAX_ROWS,
)


class NotInOrderError(Exception):
    """A file's rows are not in the table's order."""

    def __init__(self, file: File) -> None:
        super().__init__(file.uri)
        self.file = file


class UnusableFileError(LakeError):
    """A data file that compaction must leave as it is."""

    def __init__(self, file: File, why: str) -> None:
        super().__init__(f"{file.uri}: {why}")
        self.file = file


class Merge:
    """The rows of some runs in one order, a table at a time."""

    def __init__(
        self, files: FileIO, schema: pa.Schema, runs: Sequence[Run], *, unsorted: frozenset[File]
    ) -> None:
        self._files = files
        self._schema = schema
        self._order = order_of(schema)
        self._unsorted = unsorted
        self._share = MERGE_BYTES // max(1, len(runs))
        self._cursors = [_Cursor(self._pieces(run)) for run in runs]

    def tables(self) -> Iterator[pa.Table]:
        """All rows.

        Raises:
            NotInOrderError, UnusableFileError, LakeUnavailable
        """
        live = [cursor for cursor in self._cursors if cursor.fill()]
        while live:
            bound = min(cursor.rest.last for cursor in live)
            parts = [cursor.take(bound) for cursor in live if cursor.rest.first <= bound]
            yield sort([part for part in parts if part is not None])
            live = [cursor for cursor in live if cursor.fill()]

    def _pieces(self, run: Run) -> Iterator[Piece]:
        """A run's rows in pieces that are in order and follow each other."""
        last: tuple[Series, int] | None = None
        for file in run.files:
            pieces = self._sorted(file) if file in self._unsorted else self._read(file)
            for each in pieces:
                if not each.is_in_order() or (last is not None and each.first < last):
                    raise NotInOrderError(file)
                last = each.last
                yield each

    def _read(self, file: File) -> Iterator[Piece]:
        return (
            piece(table, self._order)
            for table in read(self._files, file, self._schema, self._share)
        )

    def _sorted(self, file: File) -> Iterator[Piece]:
        if file.rows > SORT_MAX_ROWS:
            raise UnusableFileError(file, f"not in order, and over {SORT_MAX_ROWS} rows")
        yield piece(_one_chunk(sort(list(self._read(file)))), self._order)


class _Cursor:
    """One run and the piece of it that is in memory."""

    rest: Piece

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._is_empty = True

    def fill(self) -> bool:
        """Have a piece, unless the run has ended."""
        if self._is_empty:
            following = next(self._pieces, None)
            if following is None:
                return False
            self.rest, self._is_empty = following, False
        return True

    def take(self, bound: tuple[Series, int]) -> Piece | None:
        count = self.rest.up_to(bound)
        if count == 0:
            return None
        taken = self.rest.slice(0, count)
        self._is_empty = count == self.rest.rows
        if not self._is_empty:
            self.rest = self.rest.slice(count, self.rest.rows)
        return taken


def read(files: FileIO, file: File, schema: pa.Schema, share: int) -> Iterator[pa.Table]:
    """A file's rows with the table's columns, some ``share`` bytes at a time.

    Raises:
        UnusableFileError: it is not what the table can take. LakeUnavailable: the store is away.
    """
    labels = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    try:
        with files.new_input(file.uri).open() as stream:
            metadata = pq.read_metadata(stream)
            there = _checked_columns(file, metadata.schema.to_arrow_schema(), schema)
            source = pq.ParquetFile(
                stream,
                metadata=metadata,
                read_dictionary=[name for name in labels if name in there],
            )
            for batch in source.iter_batches(
                batch_size=_batch_rows(metadata, share), use_threads=False
            ):
                if batch.num_rows:
                    yield _aligned(pa.Table.from_batches([batch]), schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, FileNotFoundError) as error:
        raise UnusableFileError(file, f"cannot be read: {error}") from error
    except OSError as error:
        raise LakeUnavailable(f"{file.uri}: cannot read: {error}") from error


def _batch_rows(metadata: pq.FileMetaData, share: int) -> int:
    encoded: int = sum(
        metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
    )
    # Decoded columns take several times the encoded ones where labels repeat; texts take what they are.
    per_row: int = max(96, 2 * encoded // max(1, metadata.num_rows))
    fewest = min(MERGE_MIN_ROWS, max(1, MERGE_MIN_BYTES // per_row))
    return min(MERGE_MAX_ROWS, max(fewest, share // per_row))


def _checked_columns(file: File, found: pa.Schema, wanted: pa.Schema) -> frozenset[str]:
    """A column that the table does not know (yet) would be lost; one that it must have cannot be made up."""
    unknown = sorted(set(found.names) - set(wanted.names))
    if unknown:
        raise UnusableFileError(file, f"has columns that the table does not know: {unknown}")
    missing = [each.name for each in wanted if not each.nullable and each.name not in found.names]
    if missing:
        raise UnusableFileError(file, f"lacks columns that the table must have: {missing}")
    return frozenset(found.names)


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    there: Mapping[str, int] = {name: at for at, name in enumerate(table.schema.names)}
    columns = [
        table.column(there[field.name]).cast(field.type)
        if field.name in there
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return _one_chunk(pa.Table.from_arrays(columns, schema=schema))


def _one_chunk(table: pa.Table) -> pa.Table:
    return table.combine_chunks()
