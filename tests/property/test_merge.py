"""Merging runs gives the rows of all of them, in order, whatever the runs are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.io.pyarrow import PyArrowFileIO

from cloud_sync.lake.table import READINGS_COLUMNS
from cloud_sync.maintain import merge as merging
from cloud_sync.maintain.merge import Merge, NotInOrderError, UnusableFileError
from cloud_sync.maintain.runs import File, Run
from cloud_sync.maintain.writer import arrow_schema, row_groups
from headrace.lake.readings import READINGS_SCHEMA

Row = tuple[str, str, int, str | None, float | None]
SCHEMA = arrow_schema(READINGS_COLUMNS)

rows_of_a_run = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "ü"]), st.sampled_from(["p", "q"]), st.integers(0, 30),
        st.sampled_from([None, "", "Cel"]), st.one_of(st.none(), st.floats(-1e9, 1e9)),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


def key(row: Row) -> tuple[str, str, str, int]:
    device, name, time, unit, _ = row
    return device, name, unit or "", time


def table_of(rows: list[Row], seq: int = 0) -> pa.Table:
    count = len(rows)
    columns = {
        "site": ["s"] * count, "device": [row[0] for row in rows], "name": [row[1] for row in rows],
        "time": [row[2] for row in rows], "value": [row[4] for row in rows], "text": [None] * count,
        "unit": [row[3] for row in rows], "stream": ["0" * 16] * count,
        "seq": list(range(seq, seq + count)), "received": [0] * count, "clock": [None] * count,
    }  # fmt: skip
    arrays = [
        pa.array(columns[field.name], pa.int64()).cast(field.type)
        if pa.types.is_timestamp(field.type)
        else pa.array(columns[field.name], field.type)
        for field in READINGS_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=READINGS_SCHEMA)


def put(folder: Path, name: str, table: pa.Table) -> File:
    path = folder / f"{name}.parquet"
    pq.write_table(table, path, store_schema=False, row_group_size=7)
    return File(f"file://{path}", path.stat().st_size, table.num_rows)


def merged(runs: list[Run], unsorted: frozenset[File] = frozenset()) -> pa.Table:
    found = list(row_groups(Merge(PyArrowFileIO(), SCHEMA, runs, unsorted=unsorted).tables()))
    return pa.concat_tables(found)


@settings(deadline=None, max_examples=20)
@given(st.lists(rows_of_a_run, min_size=1, max_size=5), st.integers(1, 9))
def test_all_rows_in_order(runs: list[list[Row]], batch_rows: int) -> None:
    """Batches of a few rows, so that runs end, series and borders fall anywhere."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "MERGE_MIN_ROWS", batch_rows)
        patch.setattr(merging, "MERGE_MAX_ROWS", batch_rows)
        sorted_runs = [sorted(run, key=key) for run in runs]
        files = [
            put(Path(folder), str(at), table_of(run, seq=1_000 * at))
            for at, run in enumerate(sorted_runs)
        ]
        result = merged([Run((file,), is_dense=False) for file in files])
    rows = result.select(["device", "name", "time", "unit", "value"]).to_pydict()
    times = [int(time.timestamp() * 1e6 + 0.5) for time in rows["time"]]
    found = list(zip(rows["device"], rows["name"], times, rows["unit"], rows["value"], strict=True))
    assert [key(row) for row in found] == sorted(key(row) for run in runs for row in run)
    assert sorted(map(repr, found)) == sorted(repr(row) for run in runs for row in run)
    assert len(set(result.column("seq").to_pylist())) == result.num_rows


def test_a_file_that_is_not_in_order_is_named_and_sorted_as_a_whole(tmp_path: Path) -> None:
    """Some other writer's: its rows are in the result, in their places."""
    rows: list[Row] = [("b", "p", 2, None, 1.0), ("a", "p", 1, None, 2.0), ("b", "p", 1, None, 3.0)]
    file = put(tmp_path, "x", table_of(rows))
    with pytest.raises(NotInOrderError) as found:
        merged([Run((file,), is_dense=False)])
    assert found.value.file == file
    result = merged([Run((file,), is_dense=False)], frozenset({file}))
    assert result.column("value").to_pylist() == [2.0, 3.0, 1.0]


def test_a_file_with_a_column_that_the_table_does_not_know_stays(tmp_path: Path) -> None:
    """A newer version may have written it; rewriting would lose the column."""
    table = table_of([("a", "p", 1, None, 1.0)]).append_column("tags", pa.array(["x"]))
    file = put(tmp_path, "x", table)
    with pytest.raises(UnusableFileError, match="does not know: \\['tags'\\]"):
        merged([Run((file,), is_dense=False)])


def test_a_file_without_an_optional_column_gets_nulls(tmp_path: Path) -> None:
    """An older version wrote it; the table has got a column since."""
    table = table_of([("a", "p", 1, "Cel", 1.0)]).drop_columns(["unit"])
    result = merged([Run((put(tmp_path, "x", table),), is_dense=False)])
    assert result.column("unit").to_pylist() == [None]
    assert result.schema.names == SCHEMA.names


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    """It stays for whoever repairs it; the others of its day are compacted."""
    file = put(tmp_path, "x", table_of([("a", "p", 1, None, 1.0)]))
    path = tmp_path / "x.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnusableFileError, match=r"x\.parquet: cannot be read"):
        merged([Run((file,), is_dense=False)])


def test_a_row_group_has_labels_of_its_own_rows_only(tmp_path: Path) -> None:
    """Its statistics are what queries go by: names of other devices in them would open it for nothing."""
    rows: list[Row] = [(device, "p", 1, None, 1.0) for device in ("a", "b", "c")]
    files = [put(tmp_path, str(at), table_of([row])) for at, row in enumerate(rows)]
    result = merged([Run((file,), is_dense=False) for file in files])
    assert result.column("device").chunk(0).dictionary.to_pylist() == ["a", "b", "c"]
    (tail,) = row_groups([result.slice(1)])
    assert tail.column("device").chunk(0).dictionary.to_pylist() == ["b", "c"]
