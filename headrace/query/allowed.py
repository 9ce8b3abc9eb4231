"""What may stand in a statement, looked at in its tree: pure.

DuckDB's lock (``engine``) keeps files. It does not keep what DuckDB knows of itself, and settings, definitions of views
and plans have the paths of files in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from headrace.errors import QueryError
from headrace.query.views import LAKE

#: They make rows of their arguments, and reach nothing else.
TABLE_FUNCTIONS: Final = frozenset(
    {"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"}
)

#: They tell of this process or its settings, or let it wait. A test looks for new ones with each version of DuckDB.
STATE_FUNCTIONS: Final = frozenset(
    {
        "current_setting", "currval", "get_block_size", "getenv", "getvariable", "nextval",
        "pg_get_constraintdef", "pg_get_viewdef", "setseed", "setval", "sleep_ms", "write_log",
    }
)  # fmt: skip

#: Of the views that DuckDB has of itself those that say what tables and columns there are. Others have the
#: text of views in them (``duckdb_views``, ``pg_views``), or the settings (``pg_settings``).
LISTS: Final = frozenset(
    {"information_schema.columns", "information_schema.schemata", "information_schema.tables"}
)
_OF_DUCKDB: Final = ("duckdb_", "pg_", "pragma_", "sqlite_")
_SCHEMAS_OF_DUCKDB: Final = frozenset({"information_schema", "pg_catalog"})

#: Parts of a tree that only read. Since DuckDB 2 a ``WITH`` may write: ``WITH x AS (COPY … TO …) …``.
_QUERY_NODES: Final = frozenset(
    {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
)


def check(tree: Any) -> None:
    """Refuse what is hidden inside of a SELECT.

    Raises:
        QueryError: with what it is.
    """
    for node in nodes(tree):
        kind = str(node.get("type"))
        _check_state(node, kind)
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


def _check_state(node: dict[str, Any], kind: str) -> None:
    """Refuse what asks about the process instead of the lake."""
    name = str(node.get("function_name", "")).lower()
    if name in STATE_FUNCTIONS:
        raise QueryError(f"function {name} is not accepted here", hint="ask the views")
    if kind == "SHOW_REF" and node.get("show_type") == "SHOW":
        raise QueryError(
            "SHOW of a name is not accepted here, as the name may be a setting",
            hint="DESCRIBE name; SHOW TABLES",
        )
    if kind == "BASE_TABLE":
        _check_table(path_of(node))


def _check_table(path: list[str]) -> None:
    if is_of_duckdb(path) and ".".join(path[-2:]) not in LISTS:
        raise QueryError(
            f"{'.'.join(path)} is not accepted here",
            hint=f"what there is stands in {', '.join(sorted(LISTS))}; a table of the lake that has "
            f"such a name is {LAKE}.{path[-1]}",
        )


def path_of(node: dict[str, Any]) -> list[str]:
    """The name of a table in lower case, with what stands before it."""
    said = (node.get("qualified_name") or {}).get("path") or [node.get("table_name", "")]
    return [str(part).lower() for part in said]


def is_of_duckdb(path: list[str]) -> bool:
    """Whether a table is one that DuckDB has of itself."""
    if len(path) > 1 and path[-2] == LAKE:
        return False
    return path[-1].startswith(_OF_DUCKDB) or not _SCHEMAS_OF_DUCKDB.isdisjoint(path)


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every node, without recursion: a stranger's tree may be deep."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
