"""Tables as they stand in files and answers, turned into readings by configuration.

Two shapes. *Wide*: a column per series, named as the series or renamed by ``columns``. *Long*: a column
with the name (``name_column``), one with the value. Cells that are numbers or true and false become
values, empty ones no reading at all, others texts: nothing is guessed and nothing lost. All of it works
on columns; a chunk costs a handful of Arrow kernels per column.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from cloud_sync.imports import times
from cloud_sync.imports.port import ROWS
from headrace.batch import is_device_id
from headrace.codecs.columns import NAME_TYPE, inexact
from headrace.config import FaultList
from headrace.errors import UsageError

_log = logging.getLogger(__name__)

_NUMBER: Final = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_PLACES: Final = re.compile(r"\{(\w*)\}")

Column = Annotated[str, Meta(max_length=256)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """``[imports.mapping]``: which column is what."""

    device: Column = ""
    device_column: Column = ""
    time_column: Column = "time"
    time_format: str = "auto"
    time_zone: str = "UTC"
    name_column: Column = ""
    value_column: Column = "value"
    unit_column: Column = ""
    columns: dict[str, str] = field(default_factory=dict)
    ignore: tuple[Column, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    decimal: Literal[".", ","] = "."
    empty: tuple[str, ...] = ("", "NaN", "nan", "null", "NULL", "N/A")


def check(mapping: Mapping, key: str, found: FaultList, *, places: tuple[str, ...] = ()) -> None:
    """Faults between keys; ``places`` may stand in ``device`` in braces."""
    if bool(mapping.device) == bool(mapping.device_column):
        found.add(f"{key}.device", "expected either device or device_column; set one of them")
    unknown = set(_PLACES.findall(mapping.device)) - set(places)
    if unknown or not is_device_id(_PLACES.sub("x", mapping.device or "x")):
        known = ", ".join(f"{{{each}}}" for each in places) or "nothing in braces"
        found.add(f"{key}.device", f"expected letters, digits, '.', '_', '-' and {known}, got {mapping.device!r}")  # fmt: skip
    problem = times.problem_of(mapping.time_format, mapping.time_zone)
    if problem:
        name, _, rest = problem.partition(": ")
        found.add(f"{key}.{name}", rest)
    if mapping.name_column and mapping.columns:
        found.add(f"{key}.columns", "is for a column per series; name_column says there is one name a row")  # fmt: skip


def to_rows(table: pa.Table, mapping: Mapping, places: Map[str, str] | None = None) -> pa.Table:
    """The table's readings with ``ROWS``; times that are none are null, and refused by the spool.

    Raises:
        UsageError: a column that the mapping names is not there.
    """
    table = table.combine_chunks()
    device = _device(table, mapping, places or {})
    time = times.parse(_column(table, mapping.time_column), mapping.time_format, mapping.time_zone)
    if mapping.name_column:
        return _long(table, mapping, device, time)
    parts = [_wide(table, mapping, source, name, device, time) for source, name in _series(table, mapping)]  # fmt: skip
    return pa.concat_tables(parts) if parts else ROWS.empty_table()


def _device(table: pa.Table, mapping: Mapping, places: Map[str, str]) -> Any:
    if mapping.device_column:
        return labels(_column(table, mapping.device_column))
    text = _PLACES.sub(lambda found: places.get(found[1], ""), mapping.device)
    return constant(text, table.num_rows)


def _series(table: pa.Table, mapping: Mapping) -> list[tuple[str, str]]:
    """(column, series name) of a wide table."""
    if mapping.columns:
        return list(mapping.columns.items())
    own = {mapping.time_column, mapping.device_column, *mapping.ignore}
    return [(name, name) for name in table.column_names if name not in own]


def _wide(
    table: pa.Table, mapping: Mapping, source: str, name: str, device: Any, time: Any
) -> pa.Table:
    value, text = split(_column(table, source), mapping)
    unit = mapping.units.get(name)
    rows = [device, constant(name, table.num_rows), time, value, text, constant(unit, table.num_rows)]  # fmt: skip
    return _said(pa.Table.from_arrays(rows, schema=ROWS))


def _long(table: pa.Table, mapping: Mapping, device: Any, time: Any) -> pa.Table:
    value, text = split(_column(table, mapping.value_column), mapping)
    name = labels(_column(table, mapping.name_column))
    if mapping.unit_column:
        unit = labels(_column(table, mapping.unit_column))
    else:
        unit = pc.dictionary_encode(_units(name, mapping.units)).cast(NAME_TYPE)
    return _said(pa.Table.from_arrays([device, name, time, value, text, unit], schema=ROWS))


def _units(name: pa.DictionaryArray, units: Map[str, str]) -> pa.Array:
    of_names = pa.array([units.get(each) for each in name.dictionary.to_pylist()], pa.utf8())
    return of_names.take(name.indices)


def _said(rows: pa.Table) -> pa.Table:
    """Without the empty cells."""
    said = pc.or_(pc.is_valid(rows.column("value")), pc.is_valid(rows.column("text")))
    return rows if pc.all(said).as_py() else rows.filter(said)


def _column(table: pa.Table, name: str) -> Any:
    if name not in table.column_names:
        raise UsageError(
            f"there is no column {name!r}; there are {', '.join(map(repr, table.column_names))}",
            hint="cloud-sync import sniff FILE proposes a mapping",
        )
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def labels(column: Any) -> pa.DictionaryArray:
    """A column of few different texts, trimmed."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return pc.dictionary_encode(pc.utf8_trim_whitespace(column.cast(pa.utf8()))).cast(NAME_TYPE)


def constant(text: str | None, count: int) -> pa.DictionaryArray:
    """The same label in each row; null for None."""
    if text is None:
        return pa.nulls(count, NAME_TYPE)
    codes = pa.repeat(pa.scalar(0, pa.int32()), count)
    return pa.DictionaryArray.from_arrays(codes, pa.array([text], pa.utf8()))


def split(column: Any, mapping: Mapping) -> tuple[pa.Array, pa.Array]:
    """A column of cells as values and texts; a cell is one of them, or none."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_boolean(kind):
        return column.cast(pa.uint8()).cast(pa.float64()), _no_texts(column)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        value = column.cast(pa.float64(), safe=False)
        return _where(pc.is_finite(value), value), _no_texts(column)
    if pa.types.is_integer(kind):
        _say_widened(column)
        return column.cast(pa.float64(), safe=False), _no_texts(column)
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.float64()), _no_texts(column)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise UsageError(f"a column of type {kind} is no series", hint="add it to ignore")
    return _split_texts(column.cast(pa.utf8()), mapping)


def _say_widened(column: pa.Array) -> None:
    """Integers without a float64 of their own become the nearest (decision 23)."""
    whole = column.cast(pa.uint64() if pa.types.is_unsigned_integer(column.type) else pa.int64())
    count = int(inexact(pc.fill_null(whole, 0).to_numpy(zero_copy_only=False)).sum())
    if count:
        _log.warning(
            "%d integers of %d beyond 2**53 are kept as the nearest that a reading can hold", count, len(column)
        )  # fmt: skip


def _split_texts(column: pa.Array, mapping: Mapping) -> tuple[pa.Array, pa.Array]:
    text = pc.utf8_trim_whitespace(column)
    empty = pc.is_in(text, value_set=pa.array(mapping.empty, pa.utf8()))
    text = _where(pc.invert(empty), text)
    plain = text
    if mapping.decimal == ",":  # dots group thousands there
        plain = pc.replace_substring(pc.replace_substring(text, ".", ""), ",", ".")
    exact = pc.invert(pc.match_substring_regex(plain, r"^[+-]?[0-9]{16,}$"))
    is_number = pc.and_(pc.match_substring_regex(plain, _NUMBER), exact)
    number = pc.utf8_ltrim(_where(is_number, plain), "+").cast(pa.float64())
    number = _where(pc.is_finite(number), number)  # 1e999 stays what it is
    low = pc.utf8_lower(text)
    truth = _where(pc.is_in(low, value_set=pa.array(["true", "false"])), pc.equal(low, "true"))
    value = pc.coalesce(number, truth.cast(pa.uint8()).cast(pa.float64()))
    return value, _where(pc.is_null(value), text)


def _where(condition: Any, column: Any) -> Any:
    """The column where a condition holds, and null elsewhere."""
    return pc.if_else(condition, column, pa.scalar(None, column.type))


def _no_texts(column: Any) -> pa.Array:
    return pa.nulls(len(column), pa.utf8())
