"""Which rows of which tables a statement needs, found out before a file is chosen.

DuckDB's own optimizer is asked: the statement is planned against empty tables of the same columns, and
the filters that arrive at their scans are read off the plan. So views, joins, subqueries, parameters and
``now() - INTERVAL 1 DAY`` need no understanding here. What the plan says in a form that is not known
here counts as ``ANYTHING``; a table that the plan does not scan is not needed at all.

Only optimizers that move filters are on: others add scans, or profit from the tables' being empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from headrace.errors import QueryError
from headrace.lake.latest import COLUMNS as LATEST_COLUMNS
from headrace.lake.readings import READINGS_SCHEMA
from headrace.lake.series import COLUMNS as SERIES_COLUMNS
from headrace.limits.query import PLANNER_MEMORY
from headrace.query import statement, views
from headrace.query.engine import query_errors
from headrace.query.predicate import (
    ANYTHING,
    NOTHING,
    Compare,
    Operator,
    Predicate,
    all_of,
    any_of,
)
from headrace.query.statement import Parameters, Statement
from headrace.query.tables import Derived

_ON: Final = (
    "expression_rewriter", "filter_pullup", "filter_pushdown", "regex_range", "cte_filter_pusher",
    "cte_inlining", "deliminator", "outer_join_simplification",
)  # fmt: skip

#: Errors of the statement itself; with others it may still run.
_WRONG: Final = frozenset({"binder", "catalog", "parser", "syntax"})

_OPERATORS: Final[dict[str, Operator]] = {
    "COMPARE_EQUAL": "=",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
}
#: Types whose order is the same in DuckDB, in Iceberg's statistics and here.
_TYPES: Final = frozenset({"VARCHAR", "TIMESTAMP WITH TIME ZONE"})


@dataclass(frozen=True, slots=True)
class Needs:
    """What a statement needs of each table; None where nobody can say."""

    found: Mapping[str, Predicate] | None

    def of(self, table: str) -> Predicate:
        """``NOTHING`` for a table that is not read."""
        return ANYTHING if self.found is None else self.found.get(table, NOTHING)

    def of_derived(self, table: Derived) -> Predicate:
        """The same for a derived table."""
        return self.of(f"{views.LAKE}.{table.name}")


class Planner:
    """Empty tables and the views over them, locked like an engine, in which nothing is ever run."""

    def __init__(self) -> None:
        self._db: Any = duckdb.connect(config={"threads": 1, "memory_limit": PLANNER_MEMORY})
        self._db.execute("SET TimeZone = 'UTC'")
        self._db.execute("SET python_enable_replacements = false")
        optimizers = {name for (name,) in self._db.execute("FROM duckdb_optimizers()").fetchall()}
        self._db.execute(f"SET disabled_optimizers = '{','.join(sorted(optimizers - set(_ON)))}'")
        self._db.execute(f'CREATE SCHEMA "{views.LAKE}"')
        self._db.execute(views.SEARCH_PATH)
        self._stand_in("main", "readings", READINGS_SCHEMA)
        self._stand_in("main", "latest", LATEST_COLUMNS)
        self._stand_in("main", "series", SERIES_COLUMNS)
        for view in (views.ALERTS, views.MODELS):
            self._db.execute(view)
        self._db.execute("SET enable_external_access = false")
        self._db.execute("SET lock_configuration = true")

    def close(self) -> None:
        """Let go of memory."""
        self._db.close()

    def interrupt(self) -> None:
        """End what is planned just now, from another thread."""
        with suppress(duckdb.ConnectionException):  # closed
            self._db.interrupt()

    def read(self, sql: str, parameters: Parameters = None) -> Statement:
        """The statement, checked (``statement.read``)."""
        with query_errors():
            return statement.read(self._db, sql, parameters)

    def needs(self, checked: Statement, tables: Iterable[Derived]) -> Needs:
        """What the statement needs of each table.

        Raises:
            QueryError: it is wrong; QueryStopped: planning was interrupted.
        """
        with query_errors():
            for each in tables:
                self._stand_in(views.LAKE, each.name, each.schema)
            ((text,),) = self._db.execute(
                "SELECT json_serialize_plan(?::VARCHAR, optimize := true)", [checked.look]
            ).fetchall()
        plan = statement.decoded(text)
        if plan["error"]:
            if plan["error_type"] in _WRONG:
                raise QueryError(" ".join(plan["error_message"].split()))
            return Needs(None)
        found: dict[str, list[Predicate]] = {}
        for scan in _scans(plan):
            found.setdefault(_table_of(scan), []).append(_of_scan(scan))
        return Needs({table: any_of(parts) for table, parts in found.items()})

    def _stand_in(self, schema: str, name: str, columns: pa.Schema) -> None:
        quoted = name.replace('"', '""')
        self._db.register("stand_in", columns.empty_table())
        self._db.execute(
            f'CREATE OR REPLACE TABLE "{schema}"."{quoted}" AS SELECT * FROM stand_in'  # noqa: S608 - ours
        )
        self._db.unregister("stand_in")


def _table_of(scan: dict[str, Any]) -> str:
    said = scan.get("function_data") or {}
    name, schema = said.get("table", ""), said.get("schema", "")
    return f"{schema}.{name}" if schema == views.LAKE else name


def _scans(plan: Any) -> Iterator[dict[str, Any]]:
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == "LOGICAL_GET":
                yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _of_scan(scan: dict[str, Any]) -> Predicate:
    """The filters of one scan; their keys are places in its list of columns."""
    if not scan.get("table_filters_by_projection"):
        return ANYTHING
    columns = [column.get("index") for column in scan["column_indexes"]]
    names = scan["names"]
    return all_of(
        _of_filter(names[columns[entry["key"]]], entry["value"])
        for entry in scan["table_filters"].get("filters", ())
        if columns[entry["key"]] < len(names)
    )


def _of_filter(column: str, said: dict[str, Any]) -> Predicate:
    match said["filter_type"]:
        case "LEGACY_CONSTANT_COMPARISON":
            operator = _OPERATORS.get(said["comparison_type"])
            return _compare(column, operator, said["constant"]) if operator else ANYTHING
        case "LEGACY_IN_FILTER":
            return any_of(_compare(column, "=", value) for value in said["values"])
        case "LEGACY_CONJUNCTION_AND":
            return all_of(_of_filter(column, child) for child in said["child_filters"])
        case "LEGACY_CONJUNCTION_OR":
            return any_of(_of_filter(column, child) for child in said["child_filters"])
        case "LEGACY_OPTIONAL_FILTER" if said.get("child_filter"):
            # Optional to apply, because the plan checks it once more above; true all the same.
            return _of_filter(column, said["child_filter"])
        case "EXPRESSION_FILTER":
            return _of_prefix(column, said["expr"])
    return ANYTHING


def _compare(column: str, operator: Operator, constant: dict[str, Any]) -> Predicate:
    if constant["is_null"] or constant["type"]["id"] not in _TYPES:
        return ANYTHING
    return Compare(column, operator, constant["value"])


def _of_prefix(column: str, said: dict[str, Any]) -> Predicate:
    """``LIKE 'pump-%'`` comes as ``prefix(column, 'pump-')``."""
    path = (said.get("qname") or {}).get("path") or [""]
    children = said.get("children") or []
    if path[-1] != "prefix" or len(children) != 2:
        return ANYTHING
    constant = children[1].get("value")
    if children[0].get("type") != "BOUND_REF" or not isinstance(constant, dict):
        return ANYTHING
    text = constant["value"]
    if not isinstance(text, str) or not text or ord(text[-1]) >= 0xD7FF:
        return ANYTHING
    after = text[:-1] + chr(ord(text[-1]) + 1)
    return all_of([Compare(column, ">=", text), Compare(column, "<", after)])
