"""The CSV file as chunks of rows, and the place in it that a checkpoint names.

A place is the byte where a chunk starts and how many of its rows are done: chunks start at row
borders (a csv reader asks for no line that it does not need, so the file's position after a row is
its end, also where a quoted cell spans lines). A file whose header has changed is another file and
is read from its start.
"""

from __future__ import annotations

import csv
import io
import logging
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

import msgspec

from edge_agent.inputs.replay.parse import number_run, parse_times, text_run, time_parser
from edge_agent.inputs.replay.settings import ReplaySettings
from edge_agent.readings import Run
from headrace.errors import StorageError

_log = logging.getLogger(__name__)


class Place(msgspec.Struct, frozen=True):
    """The checkpoint: which file (its name and columns), the chunk's first byte, rows of it that are done, time shift."""

    header: int
    offset: int
    rows: int = 0
    shift_us: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column that becomes a series."""

    index: int
    name: str
    unit: str
    is_text: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows: their times, their cells by column, and where they stand in the file."""

    offset: int
    end: int
    times: array[int]
    cells: Sequence[Sequence[str]]
    unreadable_rows: int


class CsvSource:
    """An open CSV file."""

    def __init__(self, settings: ReplaySettings) -> None:
        self._settings = settings
        self._parse_time: Callable[[str], int] = time_parser(
            settings.time_format, settings.timezone
        )
        try:
            self._file: io.BufferedReader = settings.path.open("rb")
        except OSError as error:
            raise StorageError(f"replay {settings.path}: {error}") from error
        header = next(self._reader(), [])
        self.start = self._file.tell()
        # The name too: of two files with the same columns one was gone on with in mid-line.
        self.header = zlib.crc32("\0".join([settings.path.name, *header]).encode())
        self.columns, self._time_index = _columns(settings, header)

    def _reader(self) -> Iterator[list[str]]:
        encoding = self._settings.encoding
        lines = (line.decode(encoding, errors="replace") for line in iter(self._file.readline, b""))
        return csv.reader(lines, delimiter=self._settings.delimiter)

    def read(self, offset: int) -> Chunk | None:
        """The chunk that starts at a byte; None at the end of the file."""
        self._file.seek(offset)
        rows = list(islice(self._reader(), self._settings.chunk_rows))
        end = self._file.tell()
        rows = [row for row in rows if row]
        if not rows:
            return None if end == offset else Chunk(offset, end, array("q"), [], 0)
        columns = list(zip_longest(*rows, fillvalue=""))
        times = parse_times(columns[self._time_index], self._parse_time)
        bad = times.count(None)
        if bad:
            keep = [time is not None for time in times]
            columns = [
                tuple(cell for cell, good in zip(cells, keep, strict=True) if good)
                for cells in columns
            ]
        good_times = array("q", [time for time in times if time is not None])
        return Chunk(offset, end, good_times, columns, bad)

    def runs(self, chunk: Chunk, start: int, end: int, shift_us: int) -> tuple[list[Run], int, int]:
        """Rows ``start`` to ``end`` of a chunk as runs; how many cells were unreadable, and how many widened."""
        times = chunk.times[start:end]
        if shift_us:
            times = array("q", (time + shift_us for time in times))
        runs: list[Run] = []
        unreadable = widened = 0
        for column in self.columns:
            cells = chunk.cells[column.index][start:end] if column.index < len(chunk.cells) else ()
            if not cells:
                continue
            if column.is_text:
                runs.append(text_run(column.name, column.unit, times, cells))
                continue
            numbers = number_run(column.name, column.unit, times, cells)
            runs.append(numbers.run)
            unreadable += numbers.unreadable
            widened += numbers.widened
        return runs, unreadable, widened

    def place(self, checkpoint: str | None) -> Place:
        """Where to go on: the checkpoint's place if it belongs to this file, else the start."""
        if checkpoint is not None:
            place = msgspec.json.decode(checkpoint, type=Place)
            if place.header == self.header and place.offset <= self._size():
                return place
            _log.warning(
                "replay %s: another file than before, read from its start", self._settings.path
            )
        return Place(self.header, self.start)

    def _size(self) -> int:
        return self._file.seek(0, io.SEEK_END)

    def close(self) -> None:
        self._file.close()


def _columns(settings: ReplaySettings, header: Sequence[str]) -> tuple[list[Column], int]:
    if settings.time_column not in header:
        raise StorageError(
            f"replay {settings.path}: no column {settings.time_column!r}, found {', '.join(header)}",
            hint="set time_column and delimiter",
        )
    time_index = list(header).index(settings.time_column)
    columns = [
        Column(
            index,
            settings.prefix + settings.columns.get(title, title),
            settings.units.get(title, ""),
            title in settings.text,
        )
        for index, title in enumerate(header)
        if index != time_index and title and title not in settings.exclude
    ]
    return columns, time_index
