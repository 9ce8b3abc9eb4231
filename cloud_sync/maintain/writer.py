"""Sorted tables become files of a target size, dense and with the table's field ids.

Rows are gathered to whole row groups. A label that a row group does not have is not in its dictionary,
and so not in its statistics: pieces of many runs share dictionaries that name all of their devices.
Field ids make the files readable whatever becomes of the columns' names. A file is on disk when it is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema

from cloud_sync.landing.encoding import options
from headrace.errors import LakeUnavailable
from headrace.limits.lake import PARQUET_ROW_GROUP_ROWS
from headrace.limits.maintain import ROW_GROUP_TEXT_BYTES

#: Texts that seldom repeat; every other text of a table is a label.
_FREE_TEXT = frozenset({"text", "payload"})


def arrow_schema(schema: Schema) -> pa.Schema:
    """The columns of an Iceberg table as they are merged and written: labels are dictionaries."""
    return pa.schema([_field(each) for each in schema_to_pyarrow(schema)])


def _field(field: pa.Field) -> pa.Field:
    if pa.types.is_large_string(field.type) or pa.types.is_string(field.type):
        label = pa.dictionary(pa.int32(), pa.utf8())
        return field.with_type(pa.utf8() if field.name in _FREE_TEXT else label)
    if pa.types.is_large_binary(field.type):
        return field.with_type(pa.binary())
    return field


def row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, gathered to row groups; of long texts to smaller ones."""
    gathered: list[pa.Table] = []
    rows, texts = 0, 0
    for table in tables:
        gathered.append(table)
        rows += table.num_rows
        texts += sum(table.column(name).nbytes for name in _FREE_TEXT & {*table.column_names})
        if texts >= ROW_GROUP_TEXT_BYTES:
            yield _compact(pa.concat_tables(gathered))
            gathered, rows, texts = [], 0, 0
        while rows >= PARQUET_ROW_GROUP_ROWS:
            whole = pa.concat_tables(gathered)
            yield _compact(whole.slice(0, PARQUET_ROW_GROUP_ROWS))
            rest = whole.slice(PARQUET_ROW_GROUP_ROWS)
            gathered, rows, texts = ([rest] if rest.num_rows else []), rest.num_rows, 0
    if rows:
        yield _compact(pa.concat_tables(gathered))


def write(
    files: FileIO, groups: Iterable[pa.Table], *, name: Callable[[int], str],
    target_bytes: int, level: int,
) -> Iterator[tuple[str, int]]:  # fmt: skip
    """Write row groups to files, and say after each group where it went and how many rows it had.

    Raises:
        LakeUnavailable: the store is away or full.
    """
    number, output = 0, None
    try:
        for group in groups:
            if output is None:
                output = _Output(files, name(number), group, level)
                number += 1
            output.add(group)
            yield output.uri, group.num_rows
            if output.size >= target_bytes:
                output.close()
                output = None
        if output is not None:
            output.close()
            output = None
    except OSError as error:
        raise LakeUnavailable(f"cannot write a compacted file: {error}") from error
    finally:
        if output is not None:
            with suppress(OSError):
                output.close()


class _Output:
    """One file."""

    def __init__(self, files: FileIO, uri: str, first: pa.Table, level: int) -> None:
        self.uri = uri
        self._stream: Any = files.new_output(uri).create()
        self._writer = pq.ParquetWriter(
            self._stream, first.schema, **options(first, level=level, is_thorough=True)
        )

    @property
    def size(self) -> int:
        return int(self._stream.tell())

    def add(self, group: pa.Table) -> None:
        self._writer.write_table(group, row_group_size=PARQUET_ROW_GROUP_ROWS)

    def close(self) -> None:
        self._writer.close()
        self._stream.close()


def _compact(table: pa.Table) -> pa.Table:
    table = table.unify_dictionaries().combine_chunks()
    columns = [
        _without_unused(column.chunk(0)) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _without_unused(labels: pa.DictionaryArray) -> pa.DictionaryArray:
    codes = labels.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    used = np.unique(codes)
    used = used[used >= 0]
    if len(used) == len(labels.dictionary):
        return labels
    fresh = np.full(len(labels.dictionary) + 1, -1, np.int32)
    fresh[used] = np.arange(len(used), dtype=np.int32)
    renumbered = fresh[codes]
    indices = pa.array(renumbered, mask=renumbered < 0)
    return pa.DictionaryArray.from_arrays(indices, labels.dictionary.take(pa.array(used)))
