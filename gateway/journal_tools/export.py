"""A part of the journal as a file: parquet, arrow, csv or ndjson, in the lake's columns.

Works through the journal a few hundred thousand readings at a time, so it takes the same memory for
a day and for a year, and holds no lock: the gateway goes on. The file appears under its name when it
is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Protocol

import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from gateway.journal_tools.choice import Choice
from headrace.errors import StorageCorrupt, StorageError
from headrace.journal import JournalReader, JournalRow
from headrace.lake.readings import READINGS_SCHEMA, to_table

Format = Literal["parquet", "arrow", "csv", "ndjson"]
FORMATS: Final[tuple[Format, ...]] = ("parquet", "arrow", "csv", "ndjson")

_ROWS: Final = 500_000
_BYTES: Final = 32 * 1024 * 1024

#: csv and arrow readers elsewhere know texts better than dictionaries.
_PLAIN: Final = pa.schema(
    [
        pa.field(each.name, pa.utf8() if pa.types.is_dictionary(each.type) else each.type)
        for each in READINGS_SCHEMA
    ]
)


@dataclass(slots=True)
class Exported:
    """What was written, and what could not be."""

    readings: int = 0
    damaged: int = 0


class Writer(Protocol):
    """What all four formats have in common."""

    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class _NdjsonWriter:
    """One JSON object a line; times are ISO 8601, what is null is left out."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._encoder = msgspec.json.Encoder()

    def write_table(self, table: pa.Table) -> None:
        for batch in table.to_batches(max_chunksize=10_000):
            rows = [
                {name: value for name, value in row.items() if value is not None}
                for row in batch.to_pylist()
            ]
            self._file.write(self._encoder.encode_lines(rows))

    def close(self) -> None:
        self._file.close()


def _open(path: Path, kind: Format) -> Any:
    match kind:
        case "parquet":
            return pq.ParquetWriter(path, _PLAIN, compression="zstd")
        case "arrow":
            return pa.ipc.new_file(path, _PLAIN)
        case "csv":
            return pacsv.CSVWriter(path, _PLAIN)
        case "ndjson":
            return _NdjsonWriter(path)


class _Target:
    """The file that is being written, under another name until it is whole."""

    def __init__(self, path: Path, kind: Format) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        try:
            self.writer: Writer = _open(self._part, kind)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error}") from error

    def __enter__(self) -> Writer:
        return self.writer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self.writer.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)


def export(
    journal: Path, out: Path, kind: Format, choice: Choice, *, first: int = 1,
    last: int | None = None, progress: Callable[[int], None] | None = None,
) -> Exported:  # fmt: skip
    """Write the wanted readings of the offsets ``first`` to ``last`` into a file.

    Args:
        journal: the file.
        out: what to write; replaced when it is there.
        kind: of file.
        choice: which readings.
        first, last: offsets, inclusive; to the head by default.
        progress: is told each offset that was reached.

    Raises:
        UsageError: there is no journal.
        StorageError: the journal cannot be read, or the file not be written.
    """
    done = Exported()
    with JournalReader(journal) as reader, _Target(out, kind) as writer:
        cursor, end = first - 1, reader.head() if last is None else min(last, reader.head())
        while rows := reader.read(cursor, up_to=end, max_rows=_ROWS, max_bytes=_BYTES):
            for table in _tables(reader.site, choice.rows(rows), done):
                wanted = choice.readings(table)
                done.readings += wanted.num_rows
                if wanted.num_rows:
                    writer.write_table(wanted.cast(_PLAIN))
            done.damaged += sum(bool(row.damage) for row in rows)
            cursor = rows[-1].offset
            if progress is not None:
                progress(cursor)
    return done


def _tables(site: str, rows: Sequence[JournalRow], done: Exported) -> list[pa.Table]:
    """The rows as columns; together, or one by one where one of them does not decode."""
    try:
        return [to_table(site, rows)]
    except StorageCorrupt:
        tables = []
        for row in rows:
            try:
                tables.append(to_table(site, [row]))
            except StorageCorrupt:
                done.damaged += 1
        return tables
