"""Derived tables of the lake, asked by name beside the views."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.types import DoubleType

from headrace.errors import QueryError
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from headrace.query.ask import Answer, Questions
from headrace.query.config import Place
from tests import lakes
from tests.journals import START_US, Journal, readings

HOUR = datetime.fromtimestamp(START_US / 1e6, UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def questions(tmp_path: Path) -> Iterator[Questions]:
    """Readings, a rollup in two files of a day each, and a table that has the name of a view."""
    config = lakes.settings(tmp_path)
    journal = Journal(config.journal.path)
    journal.append("pump", readings(40))
    path = lakes.pipeline(config)
    path.land()
    path.register()
    catalogue = open_catalogue(config.lake)
    days = [rollup(day) for day in range(2)]
    table = catalogue.create_table((NAMESPACE, "rollup_1h"), days[0].schema)
    for day in days:
        table.append(day)
    with table.update_schema() as change:
        change.add_column("stddev", DoubleType())
    mine = pa.table({"device": ["pump"], "rows": [7]})
    catalogue.create_table((NAMESPACE, "series"), mine.schema).append(mine)
    catalogue.create_table((NAMESPACE, "empty"), mine.schema)
    made = Questions(Place(config.lake, config.journal.path))
    yield made
    made.close()
    journal.close()


def rollup(day: int) -> pa.Table:
    hours = [HOUR + timedelta(days=day, hours=hour) for hour in range(24)]
    return pa.table(
        {
            "device": pa.array(["pump"] * 24),
            "time": pa.array(hours, pa.timestamp("us", "UTC")),
            "mean": pa.array([float(hour) for hour in range(24)]),
        }
    )


def ask(questions: Questions, sql: str) -> tuple[list[dict[str, Any]], Answer]:
    with questions.ask(sql) as answer:
        return answer.reader.read_all().to_pylist(), answer


def test_a_derived_table_is_a_view_and_only_its_files_are_opened(questions: Questions) -> None:
    """Those that can hold what is asked for; no reading is looked at."""
    rows, answer = ask(questions, "SELECT count(*) AS n, max(mean) AS top FROM rollup_1h")
    assert rows == [{"n": 48, "top": 23.0}]
    assert len(answer.read.files) == 2
    until = (HOUR + timedelta(days=1)).isoformat()
    rows, answer = ask(questions, f"SELECT count(*) AS n FROM rollup_1h WHERE time < '{until}'")
    assert rows == [{"n": 24}]
    assert (len(answer.read.files), answer.read.skipped, answer.read.tail) == (1, 1, 0)


def test_it_joins_with_readings(questions: Questions) -> None:
    """In one statement, each table with its own files."""
    rows, answer = ask(
        questions,
        "SELECT count(*) AS n FROM readings JOIN rollup_1h AS hours USING (device) "
        f"WHERE hours.time = '{HOUR.isoformat()}'",
    )
    assert rows == [{"n": 40}]
    assert sorted(file.origin for file in answer.read.files) == ["registered", "registered"]


def test_a_table_with_the_name_of_a_view_stands_in_the_schema_lake(questions: Questions) -> None:
    """The view is always of this moment."""
    assert ask(questions, "SELECT sum(rows) AS n FROM series")[0] == [{"n": 40}]
    assert ask(questions, "SELECT sum(rows) AS n FROM lake.series")[0] == [{"n": 7}]


def test_a_table_without_rows_and_one_with_a_new_column_are_read_as_they_are(
    questions: Questions,
) -> None:
    """The columns are there, with nothing in them."""
    assert ask(questions, "SELECT * FROM empty")[0] == []
    assert ask(questions, "SELECT count(stddev) AS n FROM rollup_1h")[0] == [{"n": 0}]
    with pytest.raises(QueryError, match="rollup_9h"):
        ask(questions, "SELECT * FROM rollup_9h")


def test_tables_are_listed_with_the_views(questions: Questions) -> None:
    """By SHOW TABLES, and for those who ask an endpoint."""
    names = {row["name"] for row in ask(questions, "SHOW ALL TABLES")[0]}
    assert {"readings", "latest", "series", "rollup_1h", "empty"} <= names
