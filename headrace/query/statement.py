"""One statement of a stranger: whether it only reads, and what of it can be said before it runs.

DuckDB parses it; what is looked at is its tree, never its text. Three things are settled here:

- It is one ``SELECT`` all the way down (with all that SQL counts as one: ``WITH``, ``FROM …``, ``VALUES``, ``DESCRIBE``,
  ``SUMMARIZE``), or ``EXPLAIN`` of one.
- It calls none but a few table functions, and asks nothing about the process that answers (``allowed``). DuckDB's
  lock (``engine``) refuses files anyway; this is the second door, and the only one before functions that take
  addresses of memory or run text as SQL, and before settings.
- Its parameters as literals, for the look ahead of ``planner``. The statement itself is run with its
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
from headrace.limits.query import QUERY_MAX_LIST
from headrace.query.allowed import check, is_of_duckdb, nodes, path_of

Parameters = Mapping[str, Any] | Sequence[Any] | None

#: Among a statement's tables: it asks what tables there are.
EVERY: Final = "*"

#: Strict, because what stands behind it is what is checked: a comment among the options could make of it another
#: statement than the one that DuckDB runs.
_EXPLAIN: Final = re.compile(
    r"\s*explain\s+(?P<analyze>analyze\s+)?"
    r"(?P<options>\(\s*(?:analyze|format\s+\w+)(?:\s*,\s*(?:analyze|format\s+\w+))*\s*\)\s*)?",
    re.IGNORECASE,
)
_READING: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that reads; ``look`` is its SELECT with literals for parameters.

    ``analyzes``: it is run and explained, with the names of files. ``tables``: the names it reads from, in lower case, with their schema where it says one; with ``EVERY``
    among them where it lists them all.
    """

    sql: str
    look: str
    explains: bool
    tables: frozenset[str]
    parameters: Parameters = None
    analyzes: bool = False


def read(db: Any, sql: str, parameters: Parameters = None) -> Statement:
    """The statement, checked.

    Args:
        db: a DuckDB connection that parses, and runs nothing of it.

    Raises:
        QueryError: not one statement, not one that reads, or parameters that do not fit.
        duckdb.Error: it cannot be parsed, or was interrupted (``engine.query_errors``).
    """
    if "\0" in sql:
        raise QueryError("a statement cannot have a character of code 0")
    statements = db.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"expected one statement, got {len(statements)}")
    (found,) = statements
    if found.type not in _READING:
        kind = found.type.name
        raise QueryError(f"only statements that read are accepted (SELECT …), got {kind}")
    explained = _EXPLAIN.match(sql) if found.type == duckdb.StatementType.EXPLAIN else None
    tree = _tree(db, sql[explained.end() :] if explained else sql)
    check(tree)
    tables = frozenset(_tables(tree))
    look = _text(db, _with_literals(db, tree, _values(parameters)))
    return Statement(
        sql, look, explained is not None, tables, parameters or None,
        analyzes=explained is not None and "analyze" in explained[0].lower(),
    )  # fmt: skip


def one_line(error: Exception) -> str:
    """DuckDB's message without the excerpt of the statement."""
    return " ".join(str(error).partition("\n\nLINE")[0].split())


def decoded(text: str) -> dict[str, Any]:
    """A tree or a plan, as DuckDB writes it.

    Raises:
        QueryError: it is deeper than Python goes, or has a number with more digits than it takes.
    """
    try:
        found: dict[str, Any] = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise QueryError(
            f"the statement cannot be checked: {error}",
            hint="a list (IN (…)) or a join with VALUES says the same in less depth",
        ) from error
    return found


def _tree(db: Any, sql: str) -> dict[str, Any]:
    ((text,),) = db.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    tree = decoded(text)
    if tree["error"]:
        raise QueryError(
            f"not a statement that can be checked: {tree['error_message']}",
            hint="begin with SELECT, WITH or EXPLAIN SELECT",
        )
    return tree


def _text(db: Any, tree: Any) -> str:
    ((text,),) = db.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]).fetchall()
    return str(text)


def _tables(tree: Any) -> Iterator[str]:
    for node in nodes(tree):
        match node.get("type"):
            case "BASE_TABLE":
                path = path_of(node)
                yield EVERY if is_of_duckdb(path) else ".".join(path[-2:])
            case "SHOW_REF" if node.get("show_type") != "DESCRIBE" and not node.get("query"):
                yield EVERY


def _values(parameters: Parameters) -> dict[str, Any]:
    if isinstance(parameters, Mapping):
        return {str(name).lower(): value for name, value in parameters.items()}
    return {str(place): value for place, value in enumerate(parameters or (), 1)}


def _with_literals(db: Any, tree: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The tree with values in the places of its parameters."""
    for node in nodes(tree):
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
        case list() | tuple() if len(value) > QUERY_MAX_LIST:
            raise QueryError(
                f"a list as a parameter may have {QUERY_MAX_LIST:,} values, got {len(value):,}",
                hint="ask in several statements, or by a condition",
            )
        case list() | tuple():
            return "[" + ", ".join(literal_sql(each) for each in value) + "]"
    raise QueryError(
        f"a parameter cannot be {type(value).__name__}",
        hint="text, number, true or false, time, nothing, or a list of these",
    )
