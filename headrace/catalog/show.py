"""The catalogue for people: tables as wide as the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table as Rows
from rich.text import Text

from headrace.catalog.freshness import Site
from headrace.catalog.listing import Details, Snapshot, Table
from headrace.catalog.series import Overview, Series
from headrace.limits.catalog import CATALOG_MAX_SERIES, CATALOG_MAX_SNAPSHOTS

#: Columns of a terminal that is none: a pipe gets whole lines.
_WIDE: Final = 10_000


def tables(found: Sequence[Table], series: Overview | None, sites: Sequence[Site]) -> None:
    """All tables, and what is in them."""
    rows = _rows("table", ">rows", ">files", ">MB", ">snapshots", "changed", "what it is")
    for each in found:
        rows.add_row(
            each.name, _number(each.rows), _number(each.files), _megabytes(each.bytes),
            _number(each.snapshots), _time(each.changed) if each.kind == "table" else "(view)",
            Text(each.comment),
        )  # fmt: skip
    console = _console()
    console.print(rows)
    if series is not None:
        console.print(
            f"\n{series.series:,} series of {series.devices:,} devices at {series.sites:,} sites; "
            f"newest reading {_time(series.newest) or '-'}",
            highlight=False,
        )
    if sites:
        console.print()
        console.print(_sites(sites))


def _sites(found: Sequence[Site]) -> Rows:
    rows = _rows("site", "newest registered", "newest received", "landed", ">waiting")
    for each in found:
        rows.add_row(
            Text(each.site), _time(each.registered), _time(each.received), _time(each.landed),
            _number(each.waiting),
        )  # fmt: skip
    return rows


def table(found: Details) -> None:
    """One table in full."""
    console, each = _console(), found.table
    console.print(f"{each.name} ({each.kind}): {each.comment}\n", highlight=False, markup=False)
    rows = _rows("column", "type", "unit", "what it is")
    for column in found.columns:
        kind = column.type + (", never null" if column.required else "")
        rows.add_row(column.name, Text(kind), Text(column.unit), Text(column.comment))
    console.print(rows)
    if each.kind == "table":
        for line in _facts(found):
            console.print(line, highlight=False, markup=False)
        console.print(_snapshots(found.snapshots))


def series(found: Sequence[Series]) -> None:
    """One line a series."""
    rows = _rows("site", "device", "name", "unit", "type", ">readings", "first", "last", "tags")
    for each in found[:CATALOG_MAX_SERIES]:
        unit = f"{each.unit} ({each.unit_in_words})" if each.unit_in_words else each.unit
        tags = ", ".join(f"{key}={value}" for key, value in each.tags.items())
        rows.add_row(
            Text(each.site), Text(each.device), Text(each.name), Text(unit), each.type,
            _number(each.readings), _time(each.first_time), _time(each.last_time), Text(tags),
        )  # fmt: skip
    console = _console()
    console.print(rows)
    if len(found) > CATALOG_MAX_SERIES:
        console.print(f"… and {len(found) - CATALOG_MAX_SERIES:,} more: --json has all")


def _facts(found: Details) -> list[str]:
    each = found.table
    lines = [
        "",
        f"{_number(each.rows) or '0'} rows in {_number(each.files) or '0'} files, "
        f"{_megabytes(each.bytes) or '0'} MB; changed {_time(each.changed)}",
        f"partitioned by {', '.join(found.partitioned_by) or 'nothing'}; at {found.location}",
    ]
    lines += [
        f"site {mark.site}: journal {mark.journal} is registered up to {mark.offset:,}"
        for mark in found.journals
    ]
    return [*lines, ""]


def _snapshots(found: Sequence[Snapshot]) -> Rows:
    rows = _rows("snapshot", "committed", "what", ">rows added", ">removed", ">in all")
    for each in found[:CATALOG_MAX_SNAPSHOTS]:
        rows.add_row(
            str(each.id), _time(each.time), each.why or each.operation, _number(each.added_rows),
            _number(each.removed_rows), _number(each.total_rows),
        )  # fmt: skip
    return rows


def _rows(*headers: str) -> Rows:
    """A table; headers that begin with > are of numbers."""
    rows = Rows(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for header in headers:
        rows.add_column(header.removeprefix(">"), justify="right" if header[0] == ">" else "left")
    return rows


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDE)


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _megabytes(value: int | None) -> str:
    return "" if value is None else f"{value / 1e6:,.2f}"


def _time(moment: datetime | None) -> str:
    """UTC, to the second."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
