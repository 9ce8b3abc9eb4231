"""The lock behind the door: what DuckDB itself refuses, whatever gets past the check of a statement."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.errors import QueryError
from headrace.lake.config import Lake
from headrace.lake.readings import READINGS_SCHEMA
from headrace.query.engine import Bounds, Engine
from headrace.query.sources import File, Sources

ATTACKS = [
    "SELECT * FROM read_text('{other}')",
    "SELECT * FROM read_csv('{other}')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM '{other}'",
    "SELECT * FROM glob('/*')",
    "COPY (SELECT 1) TO '{folder}/written.csv'",
    "WITH x AS (COPY (SELECT 1) TO '{folder}/written.csv') SELECT 1",
    "EXPORT DATABASE '{folder}/exported'",
    "ATTACH '{folder}/new.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET allowed_paths = ['{other}']",
    "SET enable_external_access = true",
    "SET memory_limit = '90GB'",
    "RESET lock_configuration",
    "CALL enable_logging()",
    "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
    "FROM duckdb_secrets()",
]


SMALL_DISK = """
import resource, sys
from headrace.errors import QueryError
from headrace.lake.config import Lake
from headrace.lake.readings import READINGS_SCHEMA
from headrace.query.engine import Bounds, Engine
from headrace.query.sources import Sources
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
bounds = Bounds(memory_bytes=64 << 20, threads=1)
with Engine(Sources((), READINGS_SCHEMA.empty_table()), Lake(uri=sys.argv[2]), bounds=bounds) as engine:
    try:
        engine.query(sys.argv[1]).read_all()
    except QueryError as error:
        print(error)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "lake" / "one.parquet"
    path.parent.mkdir()
    pq.write_table(READINGS_SCHEMA.empty_table(), path)
    sources = Sources((File(f"file://{path}", "landed"),), READINGS_SCHEMA.empty_table())
    bounds = Bounds(memory_bytes=64 * 2**20, spill_bytes=0, threads=1)
    with Engine(sources, Lake(uri=str(tmp_path / "lake")), bounds=bounds) as made:
        yield made


@pytest.mark.parametrize("attack", ATTACKS)
def test_duckdb_reaches_nothing_but_the_files_of_the_views(
    engine: Engine, tmp_path: Path, attack: str
) -> None:
    """Run on the very connection, without our check before it."""
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(duckdb.Error):
        engine._db.execute(attack.format(other=other, folder=tmp_path)).fetchall()
    assert sorted(tmp_path.rglob("*")) == before


def test_memory_and_spilled_bytes_are_bounded(engine: Engine) -> None:
    """With a message that says what to do."""
    with pytest.raises(QueryError, match="more memory"):
        engine.query(
            "SELECT count(DISTINCT range::VARCHAR || 'xxxxxxxxxxxxxxxxxxxx') FROM range(5000000)"
        ).read_all()


def test_an_interrupt_that_comes_too_late_is_nothing(engine: Engine) -> None:
    """A worker of the endpoint hears it on a thread that must live on."""
    engine.close()
    engine.interrupt()


def test_a_full_disk_for_temporary_files_is_the_statements_matter(tmp_path: Path) -> None:
    """Not the lake's: a process that may write files of a megabyte only."""
    sql = "SELECT count(*) FROM (SELECT * FROM range(9000000) ORDER BY hash(range))"
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, sql, str(tmp_path)], capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "needs more room for temporary files" in done.stdout, done.stdout + done.stderr


def test_a_view_has_the_columns_that_the_schema_says(engine: Engine) -> None:
    """Also where there are no readings."""
    found = engine.query("SELECT * FROM readings").read_all()
    assert found.schema.names == READINGS_SCHEMA.names
    assert found.schema.field("value").type == pa.float64()
