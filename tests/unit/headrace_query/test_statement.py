"""What is accepted as a statement, and what its parameters become."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import duckdb
import pytest

from headrace.errors import QueryError, UsageError
from headrace.query.allowed import STATE_FUNCTIONS
from headrace.query.commands import parse_params
from headrace.query.planner import Needs, Planner
from headrace.query.predicate import ANYTHING, NOTHING, Compare, all_of, any_of, may_hold
from headrace.query.statement import EVERY


@pytest.fixture
def planner() -> Iterator[Planner]:
    made = Planner()
    yield made
    made.close()


def needs(planner: Planner, sql: str, parameters: object = None) -> Needs:
    return planner.needs(planner.read(sql, parameters), [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '/tmp/x'", "COPY readings FROM '/tmp/x'", "ATTACH '/tmp/x.db'",
        "INSTALL httpfs", "LOAD httpfs", "SET memory_limit = '9GB'", "RESET memory_limit",
        "PRAGMA enable_profiling", "CALL enable_logging()", "CREATE TABLE x AS SELECT 1",
        "CREATE MACRO f() AS 1", "DROP VIEW readings", "INSERT INTO readings VALUES (1)",
        "DELETE FROM readings", "EXPORT DATABASE '/tmp/x'", "CHECKPOINT", "VACUUM", "USE lake",
        "BEGIN", "PREPARE x AS SELECT 1", "EXECUTE x", "SELECT 1; SELECT 2", "", "SELEC 1",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/x'", "EXPLAIN INSERT INTO readings VALUES (1)",
        "PIVOT readings ON device USING sum(value)",
        "WITH x AS (INSERT INTO readings VALUES (1)) SELECT * FROM x",
        "SELECT (WITH x AS (COPY (SELECT 1) TO '/tmp/x') SELECT 1)",
        "SELECT 1 UNION (WITH x AS (DELETE FROM readings RETURNING 1) FROM x)",
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM glob('/*')",
        "SELECT * FROM READ_TEXT('/etc/passwd')", "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table(['readings'])", "SELECT * FROM parquet_metadata('x')",
        "SELECT * FROM arrow_scan(1, 2, 3)", "SELECT * FROM json_execute_serialized_sql('{}')",
        "SELECT (SELECT max(content) FROM read_text('/etc/passwd'))",
        "SELECT 1 WHERE EXISTS (FROM read_blob('/etc/passwd'))", "FROM duckdb_settings()",
        "WITH x AS (SELECT * FROM sniff_csv('/etc/passwd')) FROM x",
        "SELECT 1 UNION ALL (SELECT 2 ORDER BY (SELECT 1 FROM duckdb_secrets()))",
        # What tells of the process that answers.
        "SELECT current_setting('allowed_paths')", "SELECT 'temp_directory'.Current_Setting()",
        "SELECT list_transform(['home_directory'], x -> current_setting(x))",
        "SELECT max(current_setting('secret_directory')) OVER ()", "SELECT getvariable('x')",
        "SELECT pg_get_viewdef(1)", "SELECT pg_catalog.pg_get_viewdef(1)", "SELECT sleep_ms(1000000)",
        "SHOW allowed_paths", "SELECT * FROM (SHOW temp_directory)", "FROM pg_settings",
        "FROM system.pg_catalog.pg_settings", "FROM duckdb_views", "FROM sqlite_master", "FROM pg_views",
        "FROM information_schema.views", "FROM system.main.DUCKDB_LOGS", "FROM pragma_database_list",
        "FROM which_secret('s3://lake/x', 's3')", "CREATE SECRET x (TYPE s3)",
        # What stands behind EXPLAIN and its options is what is run; a comment must not hide it.
        "EXPLAIN (/* ) SELECT 1 -- */ ANALYZE) SELECT * FROM duckdb_settings()",
        "EXPLAIN (/* ) SELECT 1 -- */ ANALYZE) WITH x AS (COPY (SELECT 1) TO '/tmp/x') SELECT 1",
        "EXPLAIN (TABLE pg_settings)", "EXPLAIN ANALYZE (FROM pg_settings)", "EXPLAIN/**/SELECT 1",
        "SELECT 1 \0 SELECT 2",
    ],
)  # fmt: skip
def test_what_does_more_than_read_the_views_is_refused(planner: Planner, sql: str) -> None:
    """Before anything of it is run."""
    with pytest.raises(QueryError):
        planner.read(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1", "FROM readings", "TABLE readings", "VALUES (1)", "DESCRIBE readings",
        "SHOW TABLES", "SUMMARIZE readings", "EXPLAIN SELECT 1", "explain analyze select 1",
        "EXPLAIN (FORMAT JSON) SELECT 1", "/* why */ SELECT 1 -- so", "(SELECT 1)",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) FROM t",
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1", "FROM lake.pg_pumps",
        "SELECT 1 UNION SELECT 2 EXCEPT (WITH x AS (SELECT 3) FROM x)", "SELECT unnest([1, 2])", "SELECT * FROM range(3), generate_series(1, 2)",
    ],
)  # fmt: skip
def test_what_reads_is_accepted(planner: Planner, sql: str) -> None:
    """In all the ways that SQL has of saying SELECT."""
    assert planner.read(sql).sql == sql


#: Functions of DuckDB that are not a function of their arguments alone, and harmless: looked at by a person.
HARMLESS = {
    "current_connection_id", "current_database", "current_date", "current_query", "current_query_id",
    "current_schema", "current_schemas", "current_transaction_id", "error", "format_type",
    "gen_random_uuid", "get_current_time", "get_current_timestamp", "in_search_path", "now", "random",
    "stats", "today", "transaction_timestamp", "txid_current", "uuid", "uuidv4", "uuidv7", "vector_type",
}  # fmt: skip


def test_each_function_that_looks_at_more_than_its_arguments_is_known() -> None:
    """A new version of DuckDB may bring another: then somebody decides to which of both lists it belongs."""
    looking = duckdb.sql(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE "
        "function_type = 'scalar' AND stability <> 'CONSISTENT' "
        "OR function_type = 'macro' AND regexp_matches(macro_definition, '(?i)\\bfrom \\w+\\(')"
    )
    names = {name.lower() for (name,) in looking.fetchall()}
    assert names - STATE_FUNCTIONS <= HARMLESS


def test_a_list_of_parameters_is_bounded(planner: Planner) -> None:
    """A megabyte of numbers would become a gigabyte of nodes."""
    with pytest.raises(QueryError, match="10,000 values"):
        planner.read("SELECT * FROM readings WHERE seq IN $x", {"x": list(range(10_001))})


def test_a_statement_knows_the_tables_that_it_names(planner: Planner) -> None:
    """Derived tables are looked up by them; whoever lists tables wants them all."""
    sql = "SELECT * FROM Rollup_1m JOIN lake.rollup_1h USING (time)"
    assert planner.read(sql).tables == {"rollup_1m", "lake.rollup_1h"}
    for listing in ("SHOW TABLES", "FROM information_schema.columns", "SHOW ALL TABLES"):
        assert EVERY in planner.read(listing).tables


def test_parameters_are_literals_for_the_look_ahead(planner: Planner) -> None:
    """Named or by place, in quotes or not: what arrives at the scan is the value."""
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    found = needs(
        planner,
        "SELECT * FROM readings WHERE device = $Device AND time >= $since AND time < $until",
        {"device": "it's", "since": moment, "until": "2026-11-24"},
    ).of("readings")
    start = int(moment.timestamp()) * 1_000_000
    assert found == all_of(
        [
            Compare("device", "=", "it's"),
            all_of([Compare("time", ">=", start), Compare("time", "<", start + 86_400_000_000)]),
        ]
    )
    by_place = needs(planner, "SELECT * FROM readings WHERE device = ? AND value > ?", ["a", 1.5])
    assert by_place.of("readings") == Compare("device", "=", "a")
    days = needs(planner, "SELECT * FROM readings WHERE time >= ?", [date(2026, 11, 23)])
    assert days.of("readings") == Compare("time", ">=", start)


def test_a_parameter_without_a_value_and_a_value_of_no_kind_are_refused(planner: Planner) -> None:
    """By name."""
    with pytest.raises(QueryError, match=r"\$x"):
        planner.read("SELECT $x")
    with pytest.raises(QueryError, match="object"):
        planner.read("SELECT $x", {"x": object()})


def test_a_table_that_is_not_scanned_is_not_needed(planner: Planner) -> None:
    """So asking one opens nothing of another; what cannot be understood is everything."""
    assert needs(planner, "SELECT 1").of("readings") == NOTHING
    assert needs(planner, "SELECT * FROM readings WHERE false").of("readings") == NOTHING
    assert needs(planner, "SELECT * FROM latest").of("readings") == NOTHING
    assert (
        needs(planner, "SELECT * FROM readings WHERE length(device) = 1").of("readings") == ANYTHING
    )
    assert needs(planner, "SELECT * FROM alerts").of("readings") == all_of(
        [Compare("name", ">=", "alert/"), Compare("name", "<", "alert0")]
    )


def test_a_wrong_statement_is_refused_before_the_lake_is_touched(planner: Planner) -> None:
    """With DuckDB's own words."""
    with pytest.raises(QueryError, match='"nope" not found'):
        needs(planner, "SELECT nope FROM readings")
    with pytest.raises(QueryError, match="nowhere does not exist"):
        needs(planner, "SELECT 1 FROM nowhere")


def test_bounds_decide_what_may_hold() -> None:
    """A file is kept where nobody knows better."""
    bounds = {"device": ("b", "d"), "time": (10, 20)}
    assert may_hold(Compare("device", "=", "c"), bounds)
    assert not may_hold(Compare("device", "=", "e"), bounds)
    assert not may_hold(Compare("time", "<", 10), bounds)
    assert may_hold(Compare("time", "<=", 10), bounds)
    assert not may_hold(Compare("time", ">", 20), bounds)
    assert may_hold(Compare("name", "=", "x"), bounds)
    either = any_of([Compare("device", "=", "a"), Compare("time", "=", 15)])
    assert may_hold(either, bounds)
    assert not may_hold(all_of([either, Compare("device", ">", "d")]), bounds)
    assert may_hold(ANYTHING, bounds)
    assert not may_hold(NOTHING, bounds)


def test_params_of_the_command_line_are_text_or_json() -> None:
    """A number is a number where it says so, and 007 stays a name."""
    assert parse_params([]) is None
    assert parse_params(["d=007", "n:=7", "l:=[1, 2]", "e=", "q=a=b"]) == {
        "d": "007", "n": 7, "l": [1, 2], "e": "", "q": "a=b",
    }  # fmt: skip
    assert parse_params(["2=b", "1=a"]) == ["a", "b"]
    for wrong in ("d", "=x", ":=1", "n:=seven"):
        with pytest.raises(UsageError):
            parse_params([wrong])
