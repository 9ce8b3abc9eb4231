"""Which files, in order of their names, and how far each has been imported.

A file's mark is its size, its time of change and the rows that are imported. A file that is whole is left
alone for ever; a file that has changed since is said to have, and left alone too: what of it is new
nobody can tell. So a program that exports writes a new file each time, or into another folder first.
"""

from __future__ import annotations

import glob
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloud_sync.imports.files.config import FilesSettings
from cloud_sync.imports.files.reading import TableFile, file_errors, plain_name
from cloud_sync.imports.mapping import to_rows
from cloud_sync.imports.port import ROWS, Chunk, ImportContext, ImportSource
from headrace.errors import InputError, UsageError

log = logging.getLogger(__name__)


class FileMark(msgspec.Struct, frozen=True):
    """How far a file is imported."""

    bytes: int
    changed_ns: int
    rows: int
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    key: str
    bytes: int
    changed_ns: int


class FilesSource(ImportSource):
    """Files, one after the other."""

    def __init__(self, settings: FilesSettings, context: ImportContext) -> None:
        self._settings = settings
        del context

    def chunks(self, marks: Mapping[str, bytes]) -> Iterator[Chunk]:
        found = find(self._settings.path)
        total = sum(each.bytes for each in found)
        done = 0
        for each in found:
            mark = (
                msgspec.json.decode(marks[each.key], type=FileMark) if each.key in marks else None
            )
            if mark is None or self._goes_on(each, mark):
                yield from self._file(each, mark.rows if mark else 0, done, total)
            done += each.bytes

    def _goes_on(self, file: _Found, mark: FileMark) -> bool:
        if (file.bytes, file.changed_ns) == (mark.bytes, mark.changed_ns):
            return not mark.is_done
        message = (
            f"{file.path} has changed since it was imported ({mark.bytes} bytes, now {file.bytes})"
        )
        if mark.is_done:
            log.warning("%s: left alone; write new readings into a new file", message)
            return False
        raise UsageError(
            f"{message}, and {mark.rows} of its rows are imported",
            hint="put the old file back, or move this one away",
        )

    def _file(self, found: _Found, rows: int, done: int, total: int) -> Iterator[Chunk]:
        file = TableFile(found.path, self._settings)
        places = {"stem": plain_name(found.path).stem, "folder": found.path.parent.name}
        for table in file.tables(rows):
            rows += table.num_rows
            with file_errors(found.path):
                readings = to_rows(table, self._settings.mapping, places)
            # A file is re-read from its start to where it was left, with the bad lines on the way.
            yield Chunk(readings, _mark(found, rows), done=done, total=total)
        yield Chunk(
            ROWS.empty_table(), _mark(found, rows, is_done=True), dict(file.bad_lines),
            done + found.bytes, total,
        )  # fmt: skip


def _mark(found: _Found, rows: int, *, is_done: bool = False) -> dict[str, bytes | None]:
    mark = FileMark(found.bytes, found.changed_ns, rows, is_done)
    return {found.key: msgspec.json.encode(mark)}


def find(path: str) -> list[_Found]:
    """The files that a path means, in order.

    Raises:
        InputError: none.
    """
    place = Path(path)
    if place.is_dir():
        names = [each for each in place.rglob("*") if not each.name.startswith(".")]
    elif place.exists():
        names = [place]
    else:
        names = [Path(each) for each in glob.glob(path, recursive=True)]  # noqa: PTH207 - absolute patterns
    files = sorted(each for each in names if each.is_file())
    if not files:
        raise InputError(f"no files at {path}", hint="check the path; it may be a pattern")
    return [_look(each) for each in files]


def _look(path: Path) -> _Found:
    with file_errors(path):
        status = path.stat()
    return _Found(path, f"file:{path.absolute()}", status.st_size, status.st_mtime_ns)
