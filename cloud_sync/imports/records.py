"""JSON records as tables: objects in objects become columns with dots, the rest is as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from headrace.errors import UsageError
from headrace.limits.imports import IMPORT_MAX_COLUMNS, IMPORT_MAX_DEPTH


def dig(value: Any, path: str) -> Any:
    """What is at a dotted path; None where there is nothing."""
    for part in path.split(".") if path else ():
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def to_table(records: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A table with a column for each key that any record has.

    Raises:
        UsageError: there are too many keys, or objects in objects: these are no records of one kind.
    """
    flat = [_flat(record) for record in records]
    names: dict[str, None] = {}
    for record in flat:
        names |= dict.fromkeys(record)
        if len(names) > IMPORT_MAX_COLUMNS:
            raise UsageError(
                f"expected records with {IMPORT_MAX_COLUMNS} keys at most, got {len(names)} and more",
                hint="set records to where the list of records is",
            )
    return pa.table({name: _column([record.get(name) for record in flat]) for name in names})


def _flat(record: Mapping[str, Any], before: str = "", depth: int = 1) -> dict[str, Any]:
    if depth > IMPORT_MAX_DEPTH:
        raise UsageError(
            f"expected objects in objects {IMPORT_MAX_DEPTH} deep at most, got more at {before[:80]}"
        )
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{key}.", depth + 1)
        else:
            found[before + key] = json.dumps(value) if isinstance(value, list) else value
    return found


def _column(values: list[Any]) -> pa.Array:
    """Of one type, or of texts where records do not agree."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else _text(value) for value in values], pa.utf8())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
