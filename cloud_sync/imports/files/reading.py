"""A file as tables of text or of its own types, a few megabytes at a time.

CSV cells are read as texts, all of them: a type that is guessed from the first block fails the file where
the millionth line is different. What a cell is, the mapping finds out by itself.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from cloud_sync.imports.files.config import FilesSettings
from headrace.errors import InputError, UsageError
from headrace.limits.imports import (
    IMPORT_CHUNK_ROWS,
    IMPORT_CSV_BLOCK_BYTES,
    IMPORT_MAX_COLUMNS,
)

BAD_LINE = "bad_line"

#: Endings by which Arrow knows compressed files.
_PACKED: Final = frozenset({".gz", ".bz2", ".zst", ".lz4"})


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """What Arrow and the system say of a file, as ours."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: cannot be read: {' '.join(str(error).split())}",
            hint="compare it with delimiter, encoding and skip_lines, or move it away",
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def open_bytes(path: Path) -> pa.NativeFile:
    """A file's bytes, unpacked where its name ends in .gz, .bz2, .zst or .lz4."""
    return pa.input_stream(path)


def plain_name(path: Path) -> Path:
    """The name without such an ending."""
    return path.with_suffix("") if path.suffix.lower() in _PACKED else path


def is_parquet(path: Path, settings: FilesSettings) -> bool:
    """By what the settings say, or else by the file's name."""
    if settings.format == "auto":
        return path.suffix.lower() in {".parquet", ".pq"}
    return settings.format == "parquet"


class TableFile:
    """One file; ``bad_lines`` counts lines that have another number of cells than the header."""

    def __init__(self, path: Path, settings: FilesSettings) -> None:
        self.path = path
        self._settings = settings
        self.bad_lines: Counter[str] = Counter()

    def tables(self, skip_rows: int) -> Iterator[pa.Table]:
        """Tables from behind ``skip_rows`` on; the same file is cut at the same rows each time."""
        at, step = 0, self._step()
        batches = self._parquet() if is_parquet(self.path, self._settings) else self._csv()
        for batch in batches:
            # Pieces of about a step, and no small rest: each piece is a batch for each of its devices.
            size = -(-batch.num_rows // max(1, round(batch.num_rows / step)))
            for start in range(0, batch.num_rows, max(1, size)):
                part = batch.slice(start, size)
                at += part.num_rows
                if at > skip_rows:
                    keep = min(part.num_rows, at - skip_rows)
                    yield pa.Table.from_batches([part.slice(part.num_rows - keep)])

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        with file_errors(self.path), pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(batch_size=self._step())

    def _step(self) -> int:
        """Rows of ``IMPORT_CHUNK_ROWS`` readings: in a wide file a row is as many as it has columns."""
        if self._settings.mapping.name_column:
            return IMPORT_CHUNK_ROWS
        return max(1, IMPORT_CHUNK_ROWS // max(1, len(self._columns())))

    def _columns(self) -> list[str]:
        if not is_parquet(self.path, self._settings):
            return self.header()
        with file_errors(self.path):
            names = list(pq.read_schema(self.path).names)
        if len(names) > IMPORT_MAX_COLUMNS:
            raise self._too_wide(f"{len(names)}")
        return names

    def _too_wide(self, got: str) -> UsageError:
        return UsageError(
            f"{self.path}: expected {IMPORT_MAX_COLUMNS} columns at most, got {got}",
            hint="is it a table? compare it with delimiter and skip_lines, or cut it into several",
        )

    def _csv(self) -> Iterator[pa.RecordBatch]:
        settings = self._settings
        with file_errors(self.path):
            names = self.header()
            if not names:
                return
            reader = csv.open_csv(
                open_bytes(self.path),
                read_options=csv.ReadOptions(
                    block_size=IMPORT_CSV_BLOCK_BYTES, encoding=settings.encoding,
                    skip_rows=settings.skip_lines + (0 if settings.header else 1),
                    column_names=names, use_threads=False,
                ),
                parse_options=csv.ParseOptions(
                    delimiter=settings.delimiter, quote_char=settings.quote,
                    newlines_in_values=settings.multiline, invalid_row_handler=self._skip,
                ),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.utf8()), strings_can_be_null=False,
                ),
            )  # fmt: skip
            yield from reader

    def _skip(self, row: Any) -> str:
        del row
        self.bad_lines[BAD_LINE] += 1
        return "skip"

    def header(self) -> list[str]:
        """The names of the columns; a name that comes twice gets a number."""
        names = list(self._settings.header) or self._first_line()
        seen: Counter[str] = Counter()
        unique = []
        for name in names:
            seen[name] += 1
            unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
        return unique

    def _first_line(self) -> list[str]:
        settings = self._settings
        with file_errors(self.path), open_bytes(self.path) as file:
            lines = io.TextIOWrapper(file, encoding=settings.encoding, newline="")
            for _ in range(settings.skip_lines):
                lines.readline(IMPORT_CSV_BLOCK_BYTES)
            line = lines.readline(IMPORT_CSV_BLOCK_BYTES)
        text = line.removeprefix("\ufeff").strip("\r\n")
        if not text:
            return []
        if (
            text.count(settings.delimiter) >= IMPORT_MAX_COLUMNS
            or len(line) == IMPORT_CSV_BLOCK_BYTES
        ):
            raise self._too_wide(
                f"{text.count(settings.delimiter)} times {settings.delimiter!r} in the first line"
            )
        cells = csv.read_csv(
            pa.BufferReader(f"{text}\n".encode()),
            read_options=csv.ReadOptions(autogenerate_column_names=True),
            parse_options=csv.ParseOptions(delimiter=settings.delimiter, quote_char=settings.quote),
            convert_options=csv.ConvertOptions(strings_can_be_null=False),
        )
        return [str(cells.column(at)[0].as_py()).strip() for at in range(cells.num_columns)]
