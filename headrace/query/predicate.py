"""What a statement demands of the rows of one table, as far as files can be chosen by it. Pure.

A predicate is weaker than the statement: where it is false, no row of the statement can be; where it is
true, there may be some. So whatever cannot be expressed here is ``ANYTHING``, and costs a file that is
opened in vain, never a reading that is missed. Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Operator = Literal["=", "<", "<=", ">", ">="]
Scalar = str | int
#: Of a column in a file: the smallest and the largest value, both inclusive.
Bounds = Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Compare:
    """``column operator value``."""

    column: str
    operator: Operator
    value: Scalar


@dataclass(frozen=True, slots=True)
class AllOf:
    """All parts hold; without parts, always."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part holds; without parts, never."""

    parts: tuple[Predicate, ...]


Predicate = Compare | AllOf | AnyOf

ANYTHING: Final = AllOf(())
NOTHING: Final = AnyOf(())


def all_of(parts: Iterable[Predicate]) -> Predicate:
    """The conjunction, in its simplest form."""
    kept = [part for part in parts if part != ANYTHING]
    if NOTHING in kept:
        return NOTHING
    return kept[0] if len(kept) == 1 else AllOf(tuple(kept))


def any_of(parts: Iterable[Predicate]) -> Predicate:
    """The disjunction, in its simplest form."""
    kept = [part for part in parts if part != NOTHING]
    if ANYTHING in kept:
        return ANYTHING
    return kept[0] if len(kept) == 1 else AnyOf(tuple(kept))


def may_hold(predicate: Predicate, bounds: Bounds) -> bool:
    """Whether a row within the bounds can satisfy the predicate; a column without bounds can be all."""
    match predicate:
        case AllOf(parts):
            return all(may_hold(part, bounds) for part in parts)
        case AnyOf(parts):
            return any(may_hold(part, bounds) for part in parts)
        case Compare(column, operator, value):
            if column not in bounds:
                return True
            lowest, highest = bounds[column]
            return _may_compare(operator, value, lowest, highest)


def _may_compare(operator: Operator, value: Any, lowest: Any, highest: Any) -> bool:
    match operator:
        case "=":
            return bool(lowest <= value <= highest)
        case "<":
            return bool(lowest < value)
        case "<=":
            return bool(lowest <= value)
        case ">":
            return bool(highest > value)
        case ">=":
            return bool(highest >= value)


def only(predicate: Predicate, columns: frozenset[str]) -> Predicate:
    """What the predicate says of these columns alone."""
    match predicate:
        case AllOf(parts):
            return all_of(only(part, columns) for part in parts)
        case AnyOf(parts):
            return any_of(only(part, columns) for part in parts)
        case Compare(column):
            return predicate if column in columns else ANYTHING


def to_iceberg(predicate: Predicate) -> Any:
    """The predicate as pyiceberg plans scans with it."""
    from pyiceberg import expressions as iceberg

    compare = {
        "=": iceberg.EqualTo,
        "<": iceberg.LessThan,
        "<=": iceberg.LessThanOrEqual,
        ">": iceberg.GreaterThan,
        ">=": iceberg.GreaterThanOrEqual,
    }
    match predicate:
        case AllOf(parts):
            return _fold(iceberg.And, [to_iceberg(part) for part in parts], iceberg.AlwaysTrue())
        case AnyOf(parts):
            return _fold(iceberg.Or, [to_iceberg(part) for part in parts], iceberg.AlwaysFalse())
        case Compare(column, operator, value):
            return compare[operator](column, value)


def _fold(join: Any, parts: list[Any], empty: Any) -> Any:
    """A balanced tree: pyiceberg walks it by recursion, and an IN may have a thousand values."""
    if len(parts) < 2:
        return parts[0] if parts else empty
    half = len(parts) // 2
    return join(_fold(join, parts[:half], empty), _fold(join, parts[half:], empty))
