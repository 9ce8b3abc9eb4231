"""Leaving files out never changes an answer: the same statement over everything says the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_sync.landing.parquet import DAY_US
from headrace.query.ask import Questions
from headrace.query.config import Place
from tests import lakes
from tests.journals import START_US, Journal, readings
from tests.lakes import pipeline

DAYS = 4


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Three devices over four days: registered, landed, and in the tail."""
    config = lakes.settings(tmp_path_factory.mktemp("site"), max_rows=40)
    journal, path = Journal(config.journal.path), pipeline(config)
    for day in range(DAYS):
        for device in range(3):
            start = START_US + day * DAY_US + device * 1_000_000
            journal.append(f"pump-{device}", readings(20, start_us=start, seed=day * 3 + device))
        if day < DAYS - 1:
            path.land()
        if day < DAYS - 2:
            path.register()
    yield Place(config.lake, config.journal.path)
    journal.close()


def moment(quarters: int) -> str:
    return f"make_timestamptz({START_US + quarters * (DAY_US // 4)})"


TIMES = st.integers(-2, DAYS * 4).map(moment)
DEVICES = st.sampled_from(["'pump-0'", "'pump-1'", "'pump-2'", "'pump-9'", "'PUMP-1'", "NULL"])
OPERATORS = st.sampled_from(["=", "<", "<=", ">", ">=", "<>"])
TERMS = st.one_of(
    st.builds("device {} {}".format, OPERATORS, DEVICES),
    st.builds("{} {} device".format, DEVICES, OPERATORS),
    st.builds("time {} {}".format, OPERATORS, TIMES),
    st.builds("device IN ({}, {})".format, DEVICES, DEVICES),
    st.builds("time BETWEEN {} AND {}".format, TIMES, TIMES),
    st.builds("date_trunc('day', time) {} {}".format, OPERATORS, TIMES),
    st.builds("time::DATE = ({})::DATE".format, TIMES),
    st.builds("time > {} - INTERVAL 6 HOUR".format, TIMES),
    st.sampled_from(
        [
            "device LIKE 'pump-%'", "device LIKE '%-1'", "starts_with(device, 'pump-1')",
            "device || name = 'pump-1s1'", "value > 20", "text IS NULL", "site = 'test'",
            "site <> 'test'", "name IN ('s0', 's1', 's9')", "length(device) = 6", "clock = 'odd'",
            "device IN (SELECT device FROM readings WHERE value > 24)", "false",
        ]
    ),
)  # fmt: skip
WHERE = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("(NOT {})".format, inner),
    ),
    max_leaves=4,
)
SHAPES = st.sampled_from(
    [
        "SELECT device, stream, seq FROM readings WHERE {where}",
        "SELECT device, count(*), sum(seq) FROM readings WHERE {where} GROUP BY 1 HAVING count(*) > 1",
        "WITH few AS (SELECT * FROM readings) SELECT a.seq, b.seq FROM few a JOIN few b "
        "USING (device, name, time) WHERE {where_a}",
        "SELECT site, device, name, rows FROM series WHERE device IN "
        "(SELECT device FROM readings WHERE {where})",
        "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY device ORDER BY time, seq) AS n "
        "FROM readings) WHERE n < 3 AND {where}",
        "SELECT seq FROM readings WHERE {where} UNION ALL SELECT seq FROM readings WHERE name = 's1'",
        "SELECT device, name, value FROM latest WHERE {latest}",
    ]
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SHAPES, WHERE)
def test_an_answer_is_the_same_with_and_without_the_files_that_were_left_out(
    place: Place, shape: str, where: str
) -> None:
    """For any filter, in any place of a statement."""
    in_join = where.replace("device", "a.device").replace("time ", "a.time ")
    sql = shape.format(where=where, where_a=where_of_join(in_join), latest=where_of_latest(where))
    everything = sorted(lakes.ask(place.lake, place.journal, sql).to_pylist(), key=repr)
    questions = Questions(place)
    try:
        with questions.ask(sql) as answer:
            assert sorted(answer.reader.read_all().to_pylist(), key=repr) == everything
    finally:
        questions.close()


def where_of_join(where: str) -> str:
    """Terms over one side of a join only."""
    return where if "FROM readings" not in where and is_plain(where) else "a.device = 'pump-1'"


def where_of_latest(where: str) -> str:
    """Terms over columns that ``latest`` has."""
    return where if "clock" not in where else "device = 'pump-2'"


def is_plain(where: str) -> bool:
    return not any(
        word in where for word in ("name", "value", "text", "site", "clock", "time", "date")
    )


def test_one_device_and_one_day_read_its_files_only(place: Place) -> None:
    """Registered files by Iceberg's statistics, landed ones by their times, the tail by device."""
    where = f"device = 'pump-1' AND time < {moment(4)}"
    questions = Questions(place)
    with questions.ask(f"SELECT count(*) FROM readings WHERE {where}") as answer:
        assert answer.reader.read_all().column(0)[0].as_py() == 20
        assert len(answer.read.files) == 1
        assert answer.read.skipped == 5
        assert answer.read.tail == 20
    with questions.ask(
        "EXPLAIN SELECT * FROM readings WHERE device = $d", {"d": "pump-9"}
    ) as answer:
        (files, *_) = answer.reader.read_all().to_pylist()
        assert files["explain_key"] == "files"
        assert files["explain_value"].startswith("2 of 6 files")
    questions.close()
