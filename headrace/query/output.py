"""Results as a table for people, and as csv, json or Arrow for programs. Times are UTC.

csv has a header line. json is an array of objects. arrow is an IPC stream. Only the table is cut.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headrace.limits.query import QUERY_TABLE_MAX_ROWS

_UNSPEAKABLE: Final = "(has a time that is out of range)"

Writer = Callable[[pa.RecordBatchReader, BinaryIO], None]


def write_table(reader: pa.RecordBatchReader, out: BinaryIO) -> None:
    """A table as wide as the terminal, or as wide as it needs where there is none."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in reader.schema:
        table.add_column(Text(column.name), justify="right" if _is_number(column.type) else "left")
    shown = 0
    is_cut = False
    for row in _rows(reader):
        if shown == QUERY_TABLE_MAX_ROWS:
            is_cut = True
            break
        table.add_row(*(Text("" if cell is None else _plain(cell)) for cell in row))
        shown += 1
    text = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    width = None if out.isatty() else 10_000
    console = Console(file=text, width=width, soft_wrap=width is not None)
    console.print(table)
    console.print(f"{shown} row{'' if shown == 1 else 's'}", highlight=False)
    if is_cut:
        console.print("… cut here; --format csv, json or arrow gives all rows", highlight=False)
    text.detach()


def write_csv(reader: pa.RecordBatchReader, out: BinaryIO) -> None:
    """Comma-separated, RFC 4180, with a header line; null is empty."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(reader.schema.names)
    writer.writerows(
        ["" if cell is None else _plain(cell) for cell in row] for row in _rows(reader)
    )
    text.flush()
    text.detach()


def write_json(reader: pa.RecordBatchReader, out: BinaryIO) -> None:
    """An array of objects, one on a line."""
    names = reader.schema.names
    separator = b"[\n"
    for row in _rows(reader):
        named = {name: _jsonable(cell) for name, cell in zip(names, row, strict=True)}
        out.write(separator + msgspec.json.encode(named, enc_hook=str))
        separator = b",\n"
    out.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def write_arrow(reader: pa.RecordBatchReader, out: BinaryIO) -> None:
    """An Arrow IPC stream."""
    with pa.ipc.new_stream(out, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


FORMATS: Final[dict[str, Writer]] = {
    "table": write_table,
    "csv": write_csv,
    "json": write_json,
    "arrow": write_arrow,
}


def _rows(reader: Iterable[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    for batch in reader:
        columns = [_cells(column) for column in batch.columns]
        yield from zip(*columns, strict=True)


def _cells(column: pa.Array) -> list[Any]:
    """Python's values; texts where Python has none, as of ``'infinity'::TIMESTAMP`` or the year 20000."""
    try:
        found: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        # Of a list or a struct Arrow makes no text, and DuckDB's own is not at hand.
        kind = pa.utf8() if pa.types.is_temporal(column.type) else None
        found = column.cast(kind).to_pylist() if kind else [_UNSPEAKABLE] * len(column)
    return found


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _plain(cell: Any) -> str:
    if isinstance(cell, datetime):
        return _time(cell)
    if isinstance(cell, (list, dict)):
        return msgspec.json.encode(cell, enc_hook=str).decode()
    return str(cell)


def _jsonable(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return _time(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Decimal) and cell == cell.to_integral_value():
        return int(cell)
    return cell


def _time(moment: datetime) -> str:
    """ISO 8601 in UTC; no fraction where there is none."""
    if moment.tzinfo is None:
        return moment.isoformat()
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
