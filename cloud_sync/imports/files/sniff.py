"""What a file looks like, and an ``[[imports]]`` table for it: a proposal to read, not a verdict.

The delimiter is the one that cuts most lines into the same number of cells; the time column is the first
whose sample fits a format of times in every row; the file is long where it has columns that are called
like a name and a value, and wide otherwise.
"""

from __future__ import annotations

import csv
import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa

from cloud_sync.imports import times
from cloud_sync.imports.files.config import FilesSettings
from cloud_sync.imports.files.reading import (
    TableFile,
    file_errors,
    is_parquet,
    open_bytes,
    plain_name,
)
from headrace.errors import UsageError
from headrace.limits.imports import SNIFF_BYTES, SNIFF_LINE_CHARS, SNIFF_ROWS

_DELIMITERS: Final = ",;\t|"
_NAMES: Final = ("name", "tag", "series", "metric", "measurement", "channel", "parameter", "signal")
_VALUES: Final = ("value", "val", "reading", "measurement_value")
_DEVICES: Final = ("device", "device_id", "deviceid", "sensor", "sensor_id", "host", "asset", "machine")  # fmt: skip
_UNITS: Final = ("unit", "units", "uom")


@dataclass(frozen=True, slots=True)
class Look:
    """What was found out."""

    settings: FilesSettings
    columns: tuple[str, ...]
    rows: tuple[dict[str, object], ...]
    time_column: str
    time_format: str


def look(path: Path) -> Look:
    """The beginning of a file.

    Raises:
        UsageError: it has no rows, or none of its columns is a time.
    """
    settings = FilesSettings(path=str(path))
    if not is_parquet(path, settings):
        settings = _csv_settings(path, settings)
    table = next(TableFile(path, settings).tables(0), None)
    if table is None or table.num_rows == 0:
        raise UsageError(f"{path}: has no rows")
    head = table.slice(0, 1_000)
    for column in head.column_names:
        # A number of a reading may look like one of seconds: only columns that are called so are asked.
        format_name = times.guess(_cells(head, column)) if _may_be_time(head, column) else ""
        if format_name:
            rows = head.slice(0, SNIFF_ROWS).to_pylist()
            return Look(settings, tuple(head.column_names), tuple(rows), column, format_name)
    raise UsageError(
        f"{path}: no column looks like a time; there are {', '.join(head.column_names)}",
        hint="name it by mapping.time_column and say time_format",
    )


def propose(path: Path) -> str:
    """A table for cloud_sync.toml, with the first rows as a comment."""
    found = look(path)
    settings, columns = found.settings, found.columns
    lines = [f"# {json.dumps(row, default=str)[:160]}" for row in found.rows]
    lines += [
        "[[imports]]", 'plugin = "files"', f"job = {_text(_job(path))}",
        'site = "site-1"  # change: whose history this is', f"path = {_text(str(path.absolute()))}",
    ]  # fmt: skip
    if settings.delimiter != ",":
        lines.append(f"delimiter = {_text(settings.delimiter)}")
    if settings.encoding != "utf-8":
        lines.append(f"encoding = {_text(settings.encoding)}")
    lines += ["", "[imports.mapping]", *_device(columns, path)]
    lines += [f"time_column = {_text(found.time_column)}", f"time_format = {_text(found.time_format)}"]  # fmt: skip
    name, value = _called(columns, _NAMES), _called(columns, _VALUES)
    if name and value:
        lines += [f"name_column = {_text(name)}", f"value_column = {_text(value)}"]
        unit = _called(columns, _UNITS)
        lines += [f"unit_column = {_text(unit)}"] if unit else []
    if settings.mapping.decimal == ",":
        lines.append('decimal = ","')
    return "\n".join(lines) + "\n"


def _device(columns: Sequence[str], path: Path) -> list[str]:
    column = _called(columns, _DEVICES)
    if column:
        return [f"device_column = {_text(column)}"]
    return [f"device = {_text(re.sub('[^A-Za-z0-9._-]+', '-', plain_name(path).stem)[:64])}"]


def _csv_settings(path: Path, settings: FilesSettings) -> FilesSettings:
    with file_errors(path), open_bytes(path) as file:
        beginning = file.read(SNIFF_BYTES)
    encoding = "utf-16" if beginning[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8"
    try:
        text = beginning.decode(encoding)
    except UnicodeDecodeError as error:
        # Cut in the middle of a character is no sign of another encoding.
        encoding = encoding if error.start > len(beginning) - 4 else "latin-1"
        text = beginning.decode(encoding, errors="replace")
    lines = [line[:SNIFF_LINE_CHARS] for line in text.splitlines()[:50]] or [""]
    delimiter = max(_DELIMITERS, key=lambda each: _regular(lines, each))
    comma = delimiter != "," and bool(re.search(rf"(^|{re.escape(delimiter)})-?\d+,\d+", text))
    mapping = replace(settings.mapping, decimal="," if comma else ".")
    return replace(settings, encoding=encoding, delimiter=delimiter, mapping=mapping)


def _regular(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """(lines with as many cells as the first, cells), where there is more than one."""
    widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter)]
    first = widths[0] if widths else 0
    return (sum(width == first for width in widths), first) if first > 1 else (0, 0)


def _may_be_time(table: pa.Table, column: str) -> bool:
    kind = table.schema.field(column).type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return True
    cells = _cells(table, column)
    is_number = len(cells) and not re.search(r"[-/:]", str(cells[0].as_py()))
    return not is_number or bool(re.search(r"time|date|stamp|^ts$|epoch", column, re.I))


def _cells(table: pa.Table, column: str) -> pa.Array:
    return table.column(column).combine_chunks()


def _called(columns: Sequence[str], names: Sequence[str]) -> str:
    return next((each for each in columns if each.strip().lower() in names), "")


def _job(path: Path) -> str:
    return (
        re.sub("[^a-z0-9]+", "-", plain_name(path).stem.lower()).strip("-")[:32].strip("-") or "job"
    )


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
