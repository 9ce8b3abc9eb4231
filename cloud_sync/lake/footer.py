"""What the footer of a landed file says, held against its manifest and the table: pure.

A footer is a site's word: its statistics may be no times and no texts, its columns may be anything. What
pyiceberg would refuse is found here, because it refuses a whole commit, with the files of all sites. And what
would not fit into memory: a file of some kilobytes may say that it has 10**12 rows, and be right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.errors import LakeError
from headrace.landing import DataFile
from headrace.limits.lake import LANDED_FILE_MAX_ROWS, LANDED_FILE_MAX_UNPACKED_BYTES

_DAY_US: Final = 86_400_000_000

#: Where Arrow keeps the field id of a column.
_FIELD_ID: Final = b"PARQUET:field_id"


@contextmanager
def readable(path: str) -> Iterator[None]:
    """What Arrow raises over a footer that says strange things, as ours."""
    try:
        yield
    except (pa.ArrowException, ValueError, OverflowError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise LakeError(f"{path}: its footer cannot be understood: {why}") from error


def check_size(file: DataFile, footer: pq.FileMetaData) -> None:
    """Rows, and what they take when they are unpacked.

    Raises:
        LakeError: other rows than claimed, or more than a landing can have.
    """
    if footer.num_rows != file.rows:
        raise LakeError(f"{file.path}: expected {file.rows} readings, got {footer.num_rows}")
    unpacked = sum(
        footer.row_group(index).total_byte_size for index in range(footer.num_row_groups)
    )
    for got, limit, what in (
        (footer.num_rows, LANDED_FILE_MAX_ROWS, "readings"),
        (unpacked, LANDED_FILE_MAX_UNPACKED_BYTES, "unpacked bytes"),
    ):
        if got > limit:
            raise LakeError(f"{file.path}: expected {limit} {what} at most, got {got}")


def check_columns(path: str, found: pa.Schema, expected: pa.Schema) -> None:
    """Columns by name and type; of the table's own those that may be null may be absent.

    Raises:
        LakeError: the file cannot be part of the table.
    """
    known = {field.name: field for field in expected}
    twice = [name for name, count in Counter(found.names).items() if count > 1]
    if twice:
        raise LakeError(f"{path}: has the column {twice[0]!r} more than once")
    for field in found:
        if field.name not in known:
            raise LakeError(f"{path}: the table has no column {field.name!r}")
        fault = _fault(field, known[field.name])
        if fault:
            raise LakeError(f"{path}: column {field.name!r}: {fault}")
    missing = [
        name for name, field in known.items() if not field.nullable and name not in found.names
    ]
    if missing:
        raise LakeError(f"{path}: without the columns {', '.join(missing)}")


def _fault(found: pa.Field, expected: pa.Field) -> str:
    if _plain(found.type) != _plain(expected.type):
        return f"expected {expected.type}, got {found.type}"
    if found.nullable and not expected.nullable:
        return "expected a column that is never null"
    if _FIELD_ID in (found.metadata or {}):
        return "has a field id; expected columns that are known by their names"
    return ""


def check_statistics(file: DataFile, footer: pq.FileMetaData, site: str) -> None:
    """Site and times as the footer has them.

    Raises:
        LakeError: the manifest says otherwise.
    """
    sites = _bounds(footer, "site")
    if sites != (site, site):
        raise LakeError(f"{file.path}: expected readings of site {site}, got {sites}")
    times = _bounds(footer, "time")
    if times is None or tuple(map(_microseconds, times)) != (file.min_time, file.max_time):
        raise LakeError(f"{file.path}: its times are not what its manifest says")
    if file.min_time // _DAY_US != file.max_time // _DAY_US:
        raise LakeError(f"{file.path}: expected readings of one day, got {times[0]} to {times[1]}")


def _bounds(footer: pq.FileMetaData, column: str) -> tuple[Any, Any] | None:
    """Least and greatest value by the row groups' statistics; None where one has none."""
    at = footer.schema.names.index(column)
    groups = [footer.row_group(index).column(at) for index in range(footer.num_row_groups)]
    if not groups or not all(
        group.is_stats_set and group.statistics.has_min_max for group in groups
    ):
        return None
    return (
        min(group.statistics.min for group in groups),
        max(group.statistics.max for group in groups),
    )


def _microseconds(time: Any) -> int:
    return int(pc.cast(pa.scalar(time, pa.timestamp("us", tz="UTC")), pa.int64()).as_py())


def _plain(kind: pa.DataType) -> pa.DataType:
    """Iceberg's text is Arrow's large_string, a file's is string."""
    return pa.utf8() if pa.types.is_large_string(kind) else kind
