"""``headrace query`` on the lake in a folder: views, formats, and what it says of questions that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.journals import START_US, Journal, batch, readings
from tests.lakes import cloud_sync, headrace


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "gateway" / "journal.db")
    yield made
    made.close()


def test_alerts_are_the_newest_transition_of_each(tmp_path: Path, journal: Journal) -> None:
    """One row per alert, with its times; pending, firing and resolved are the same alert."""
    started = START_US

    def said(state: str, ended: int | None, value: float | None) -> str:
        text = {
            "state": state, "severity": "high", "series": "pressure", "started": started,
            "ended": ended, "value": value, "summary": "too high",
        }  # fmt: skip
        return json.dumps(text)

    def transition(time: int, text: str) -> None:
        journal.append("pump", batch(["alert/over"], [time], [None], [text]))

    transition(started, said("pending", None, None))
    transition(started + 5, said("firing", None, 9.5))
    cloud_sync("once", "--data", tmp_path)
    transition(started + 9, said("resolved", started + 9, 9.5))
    journal.append(
        "fan", batch(["alert/over", "alertness"], [1, 1], [None, 1.0], ["no json", None])
    )
    done = headrace("query", "--data", tmp_path, "--format", "json", "SELECT * FROM alerts")
    assert json.loads(done.stdout) == [
        {
            "rule": "over", "device": "pump", "series": "pressure", "state": "resolved",
            "severity": "high", "started": "2025-06-15T15:06:40Z",
            "ended": "2025-06-15T15:06:40.000009Z", "value": 9.5, "site": "test",
            "summary": "too high",
        }
    ]  # fmt: skip


def test_series_have_units_times_and_counts(tmp_path: Path, journal: Journal) -> None:
    """The newest unit that was said counts, wherever its reading lies."""
    journal.append("pump", batch(["p"], [START_US], [1.0]), units={"p": "Pa"})
    cloud_sync("once", "--data", tmp_path)
    journal.append("pump", batch(["p"], [START_US + 1_000_000], [2.0]), units={"p": "hPa"})
    journal.append("pump", batch(["p"], [START_US + 2_000_000], [2.0]))
    done = headrace("query", "--data", tmp_path, "--format", "csv", "SELECT * FROM series")
    assert done.stdout.splitlines() == [
        "site,device,name,unit,first_time,last_time,rows",
        "test,pump,p,hPa,2025-06-15T15:06:40Z,2025-06-15T15:06:42Z,3",
    ]


def test_arrow_output_is_a_stream_that_arrow_reads(tmp_path: Path, journal: Journal) -> None:
    """For programs that go on with columns."""
    journal.append("pump", readings(10))
    sql = "SELECT seq, time FROM readings ORDER BY seq"
    done = headrace("query", "--data", tmp_path, "--format", "arrow", sql)
    table = pa.ipc.open_stream(done.stdout_bytes).read_all()
    assert table["seq"].to_pylist() == list(range(1, 11))
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"


def test_an_empty_data_folder_answers_friendly(tmp_path: Path) -> None:
    """Nothing there yet is not an error; a folder that is not there is one."""
    done = headrace("query", "--data", tmp_path, "SELECT count(*) AS n FROM readings")
    assert done.exit_code == 0
    assert "no readings yet" in done.stderr
    gone = headrace("query", "--data", tmp_path / "gone", "SELECT 1")
    assert gone.exit_code == 2
    assert "no data folder" in gone.stderr
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM reedings", "reedings"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("COPY readings TO 'stolen.csv'", "only statements that read"),
        ("CREATE TABLE mine (a INTEGER)", "only statements that read"),
        ("SET enable_external_access = true", "only statements that read"),
        ("ATTACH 'other.db'", "only statements that read"),
        ("SELECT * FROM read_text('/etc/hostname')", "read_text is not accepted"),
        ("SELECT * FROM read_parquet('other.parquet')", "read_parquet is not accepted"),
        ("SELECT * FROM 'other.parquet'", "Cannot access file"),
    ],
)
def test_a_bad_or_writing_statement_is_one_line_and_status_2(
    tmp_path: Path, journal: Journal, sql: str, says: str
) -> None:
    """A query reads the lake and nothing else."""
    journal.append("pump", readings(10))
    cloud_sync("once", "--data", tmp_path)
    done = headrace("query", "--data", tmp_path, sql)
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
