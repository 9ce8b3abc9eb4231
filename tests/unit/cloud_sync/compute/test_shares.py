"""What each of Spark's tasks reads: every row group once, no file opened that cannot hold what is wanted."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import dataset, fs

from cloud_sync.compute.days import Area, DataFile
from cloud_sync.compute.engines.executor import ShareReader
from cloud_sync.compute.engines.shares import Piece, shares
from cloud_sync.compute.targets import rollup_targets
from cloud_sync.landing.encoding import options
from headrace.lake.config import Lake
from headrace.lake.readings import READINGS_SCHEMA
from headrace.limits.compute import SPARK_FILE_BYTES, SPARK_LEAST_SHARE_BYTES, SPARK_SHARE_BYTES

DAY = Area(0, 0)
ROWS = 100


def file(number: int, size: int) -> DataFile:
    return DataFile(f"s3://lake/{number:03}", size, 1, 1, DAY)


@given(st.lists(st.integers(1, 10**9), max_size=50), st.integers(1, 100))
def test_every_byte_is_in_one_share_of_a_bounded_size(sizes: list[int], cores: int) -> None:
    """Whatever the sizes."""
    found = shares([file(number, size) for number, size in enumerate(sizes)], cores)
    read: dict[str, list[tuple[int, int]]] = {}
    for share in found:
        assert share
        assert sum(piece.end - piece.first for piece in share) < 2 * SPARK_SHARE_BYTES
        for piece in share:
            read.setdefault(piece.uri, []).append((piece.first, piece.end))
    for number, size in enumerate(sizes):
        pieces = read[f"s3://lake/{number:03}"]
        assert [first for first, _ in pieces] == [0, *(end for _, end in pieces[:-1])]
        assert pieces[-1][1] == size


def test_small_files_are_gathered_and_each_counts_for_its_opening() -> None:
    """A thousand files of nothing are not one task."""
    found = shares([file(number, 10) for number in range(1_000)], 1)
    assert {len(share) for share in found[:-1]} == {SPARK_LEAST_SHARE_BYTES // SPARK_FILE_BYTES}


def test_little_is_spread_over_the_cores_that_there_are() -> None:
    """And not further than a task is worth."""
    whole = [file(0, 8 * SPARK_LEAST_SHARE_BYTES)]
    assert [len(shares(whole, cores)) for cores in (1, 4, 100)] == [1, 4, 8]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> DataFile:
    """Five row groups as landing writes them: a device each, and a minute each."""
    path = tmp_path_factory.mktemp("lake") / "readings.parquet"
    tables = [_group(number) for number in range(5)]
    with pq.ParquetWriter(path, READINGS_SCHEMA, **options(tables[0], level=3)) as writer:
        for table in tables:
            writer.write_table(table)
    return DataFile(f"file://{path}", path.stat().st_size, 5 * ROWS, 1, DAY)


def _group(number: int) -> pa.Table:
    times = pa.array(range(number * 60_000_000, number * 60_000_000 + ROWS))
    columns = {
        "site": ["s"] * ROWS, "device": [f"pump-{number}"] * ROWS, "name": ["flow"] * ROWS,
        "time": times.cast(pa.timestamp("us", "UTC")), "value": [float(number)] * ROWS,
        "text": [None] * ROWS, "unit": [None] * ROWS, "stream": ["a"] * ROWS,
        "seq": list(range(ROWS)), "received": times.cast(pa.timestamp("us", "UTC")),
        "clock": [None] * ROWS,
    }  # fmt: skip
    return pa.table(columns).cast(READINGS_SCHEMA)


def reader(area: Area = DAY, first_us: int = 0, end_us: int = 10**12) -> ShareReader:
    return ShareReader(Lake(), rollup_targets()[0].columns, first_us, end_us, area)


def groups(file: DataFile, reader: ShareReader, piece: Piece) -> list[int]:
    path = file.uri.removeprefix("file://")
    made = dataset.ParquetFileFormat().make_fragment(path, fs.LocalFileSystem())
    part = reader.part(made, piece)
    return [] if part is None else [group.id for group in part.row_groups]


def whole(file: DataFile) -> Piece:
    return Piece(file.uri, 0, file.bytes)


def test_only_row_groups_that_can_hold_a_device_or_a_time_are_read(written: DataFile) -> None:
    """By the statistics of labels, too."""
    assert groups(written, reader(), whole(written)) == [0, 1, 2, 3, 4]
    some = reader(Area(0, 0, "pump-1", "pump-2"))
    assert groups(written, some, whole(written)) == [1, 2]
    assert groups(written, reader(first_us=60_000_000, end_us=120_000_000), whole(written)) == [1]
    assert groups(written, reader(Area(0, 0, "q")), whole(written)) == []


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_pieces_of_a_file_have_each_row_group_once(written: DataFile, count: int) -> None:
    """Wherever it was cut."""
    cuts = [written.bytes * at // count for at in range(count + 1)]
    pieces = [Piece(written.uri, *cut) for cut in pairwise(cuts)]
    found = [group for piece in pieces for group in groups(written, reader(), piece)]
    assert sorted(found) == [0, 1, 2, 3, 4]


def test_shares_become_the_rows_that_are_wanted(written: DataFile) -> None:
    """Labels as texts and times as integers; also where the reader came as bytes, as Spark sends it."""
    some = reader(Area(0, 0, "pump-3", "pump-4"), first_us=180_000_050, end_us=240_000_010)
    sent: ShareReader = pickle.loads(pickle.dumps(some))  # noqa: S301 - our own
    pieces = [whole(written)._asdict()]
    kind = pa.list_(pa.struct({"uri": pa.string(), "first": pa.int64(), "end": pa.int64()}))
    batch = pa.RecordBatch.from_arrays([pa.array([pieces], kind)], ["pieces"])
    found = pa.Table.from_batches(list(sent(iter([batch]))))
    assert found.num_rows == 60
    assert found.schema.field("device").type == pa.string()
    assert found.schema.field("time").type == pa.int64()
    assert set(found["device"].to_pylist()) == {"pump-3", "pump-4"}
