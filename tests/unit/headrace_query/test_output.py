"""How results are printed."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from headrace.limits.query import QUERY_TABLE_MAX_ROWS
from headrace.query.output import Writer, write_csv, write_json, write_table


def reader(**columns: pa.Array) -> pa.RecordBatchReader:
    return pa.table(columns).to_reader()


def test_csv_quotes_what_needs_quotes_and_leaves_null_empty() -> None:
    """RFC 4180 with a header line."""
    out = io.BytesIO()
    write_csv(reader(a=pa.array(["x,y", 'say "hi"', None]), b=pa.array([1.5, None, 2.0])), out)
    assert out.getvalue() == b'a,b\r\n"x,y",1.5\r\n"say ""hi""",\r\n,2.0\r\n'


def test_json_is_an_array_of_objects_also_when_it_is_empty() -> None:
    """Not-a-number is null, since JSON has none; whole decimals are whole numbers."""
    out = io.BytesIO()
    time = pa.array([datetime(2026, 11, 23, 5, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    nan = pa.array([float("nan")])
    total = pa.array([Decimal("12345678901234567890")], pa.decimal128(38, 0))
    write_json(reader(time=time, nan=nan, total=total), out)
    assert json.loads(out.getvalue()) == [
        {"time": "2026-11-23T05:00:00Z", "nan": None, "total": 12345678901234567890}
    ]
    out = io.BytesIO()
    write_json(reader(a=pa.array([], pa.int64())), out)
    assert json.loads(out.getvalue()) == []


@pytest.mark.parametrize("write", [write_table, write_csv, write_json])
def test_a_time_that_python_cannot_say_is_text(write: Writer) -> None:
    """Infinity, and years of five digits; within a list it is only said that it is there."""
    far = pa.array([2**62, 0], pa.timestamp("us", "UTC"))
    out = io.BytesIO()
    write(
        reader(
            far=far,
            day=pa.array([2**30, 0], pa.date32()),
            many=pa.array([[2**62], [0]], pa.list_(far.type)),
        ),
        out,
    )
    text = out.getvalue().decode()
    assert "1970-01-01" in text
    assert "out of range" in text


def test_a_long_table_is_cut_and_says_so() -> None:
    """A terminal is no place for a million rows."""
    out = io.BytesIO()
    write_table(reader(a=pa.array(range(QUERY_TABLE_MAX_ROWS + 1))), out)
    text = out.getvalue().decode()
    assert f"{QUERY_TABLE_MAX_ROWS} rows" in text
    assert "cut here" in text
    assert not out.closed


def test_text_with_brackets_is_not_taken_for_markup() -> None:
    """A reading's text is printed as it is."""
    out = io.BytesIO()
    write_table(reader(**{"[red]a": pa.array(["[bold]x[/bold]"])}), out)
    assert "[bold]x[/bold]" in out.getvalue().decode()
    assert "[red]a" in out.getvalue().decode()
