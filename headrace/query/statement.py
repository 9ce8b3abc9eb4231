"""One statement of a stranger: whether it only reads, and what of it can be said before it runs.

DuckDB parses it; what is looked at is its tree, never its text. Three things are settled here:

- It is one ``SELECT`` all the way down (with all that SQL counts as one: ``WITH``, ``FROM …``, ``VALUES``, ``DESCRIBE``,
  ``SUMMARIZE``), or ``EXPLAIN`` of one.
- It calls none but a few table functions. DuckDB's lock (``engine``) refuses files anyway; this is the
  second door, and the only one before functions that take addresses of memory or run text as SQL.
- Its parameters as literals, for the look ahead of ``probe``. The statement itself is run with its
  parameters as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import duckdb

from headrace.errors import QueryError

Parameters = Mapping[str, Any] | Sequence[Any] | None

#: They make rows of their arguments, and reach nothing else.
TABLE_FUNCTIONS: Final = frozenset(
    {"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"}
)

#: Parts of a tree that only read. Since DuckDB 2 a ``WITH`` may write: ``WITH x AS (COPY … TO …) …``.
_QUERY_NODES: Final = frozenset(
    {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
)

#: Among a statement's tables: it asks what tables there are.
EVERY: Final = "*"

_EXPLAIN: Final = re.compile(r"\s*explain\s+(?:analyze\s+)?(?:\([^)]*\)\s*)?", re.IGNORECASE)
_READING: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that reads; ``look`` is its SELECT with literals for parameters.

    ``tables``: the names it reads from, in lower case, with their schema where it says one; with ``EVERY``
    among them where it lists them all.
    """

    sql: str
    look: str
    explains: bool
    tables: frozenset[str]
    parameters: Parameters = None


def read(db: Any, sql: str, parameters: Parameters = None) -> Statement:
    """The statement, checked.

    Args:
        db: a DuckDB connection that parses, and runs nothing of it.

    Raises:
        QueryError: not one statement, not one that reads, or parameters that do not fit.
        duckdb.Error: it cannot be parsed, or was interrupted (``engine.query_errors``).
    """
    statements = db.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"expected one statement, got {len(statements)}")
    (found,) = statements
    if found.type not in _READING:
        kind = found.type.name
        raise QueryError(f"only statements that read are accepted (SELECT …), got {kind}")
    explains = found.type == duckdb.StatementType.EXPLAIN
    tree = _tree(db, _EXPLAIN.sub("", sql, count=1) if explains else sql)
    _check(tree)
    tables = frozenset(_tables(tree))
    look = _text(db, _with_literals(db, tree, _values(parameters)))
    return Statement(sql, look, explains, tables, parameters or None)


def one_line(error: Exception) -> str:
    """DuckDB's message without the excerpt of the statement."""
    return " ".join(str(error).partition("\n\nLINE")[0].split())


def _tree(db: Any, sql: str) -> dict[str, Any]:
    ((text,),) = db.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    tree: dict[str, Any] = json.loads(text)
    if tree["error"]:
        raise QueryError(
            f"not a statement that can be checked: {tree['error_message']}",
            hint="begin with SELECT, WITH or EXPLAIN SELECT",
        )
    return tree


def _text(db: Any, tree: Any) -> str:
    ((text,),) = db.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]).fetchall()
    return str(text)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every node, without recursion: a stranger's tree may be deep."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _check(tree: Any) -> None:
    """Refuse what is hidden inside of a SELECT."""
    for node in _nodes(tree):
        kind = str(node.get("type"))
        if kind.endswith("_NODE") and kind not in _QUERY_NODES:
            raise QueryError(
                f"only statements that read are accepted (SELECT …), got {kind.split('_')[0]} in one"
            )
        if kind != "TABLE_FUNCTION":
            continue
        name = str(node["function"]["function_name"]).lower()
        if name not in TABLE_FUNCTIONS:
            raise QueryError(
                f"table function {name} is not accepted here",
                hint=f"ask the views; of functions there are {', '.join(sorted(TABLE_FUNCTIONS))}",
            )


def _tables(tree: Any) -> Iterator[str]:
    for node in _nodes(tree):
        match node.get("type"):
            case "BASE_TABLE":
                said = (node.get("qualified_name") or {}).get("path") or [
                    node.get("table_name", "")
                ]
                path = [str(part).lower() for part in said]
                yield EVERY if _is_catalogue(path) else ".".join(path[-2:])
            case "SHOW_REF" if node.get("show_type") != "DESCRIBE" and not node.get("query"):
                yield EVERY


def _is_catalogue(path: list[str]) -> bool:
    return "information_schema" in path or path[-1].startswith(("duckdb_", "pg_", "sqlite_"))


def _values(parameters: Parameters) -> dict[str, Any]:
    if isinstance(parameters, Mapping):
        return {str(name).lower(): value for name, value in parameters.items()}
    return {str(place): value for place, value in enumerate(parameters or (), 1)}


def _with_literals(db: Any, tree: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The tree with values in the places of its parameters."""
    for node in _nodes(tree):
        if node.get("class") != "PARAMETER":
            continue
        name = str(node["identifier"])
        if name.lower() not in values:
            raise QueryError(f"no value for parameter ${name}", hint=f"--param {name}=…")
        literal = _literal(db, values[name.lower()])
        node.clear()
        node.update(literal)
    for statement in tree["statements"]:
        statement.pop("named_param_map", None)
    return tree


def _literal(db: Any, value: Any) -> dict[str, Any]:
    """A node for a value: DuckDB's own, for its text."""
    tree = _tree(db, f"SELECT {literal_sql(value)}")
    node: dict[str, Any] = tree["statements"][0]["node"]["select_list"][0]
    return node


def literal_sql(value: Any) -> str:
    """A value as SQL.

    Raises:
        QueryError: a value of a kind that parameters cannot have.
    """
    match value:
        case None | bool() | int() | float():
            return "NULL" if value is None else repr(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
            return f"TIMESTAMPTZ '{moment.isoformat()}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case list() | tuple():
            return "[" + ", ".join(literal_sql(each) for each in value) + "]"
    raise QueryError(
        f"a parameter cannot be {type(value).__name__}",
        hint="text, number, true or false, time, nothing, or a list of these",
    )
