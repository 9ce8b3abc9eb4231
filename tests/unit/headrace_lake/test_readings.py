"""Journal rows as columns of the lake: order, identity, units, nulls, days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud_sync.landing.parquet import DAY_US, DayFile, apart, encode_days, encode_odd
from headrace.codecs import BATCH_SCHEMA
from headrace.errors import StorageCorrupt
from headrace.journal import JournalReader, JournalRow
from headrace.lake.readings import READINGS_SCHEMA, to_table
from headrace.odd_times import FIRST_US, ODD
from tests.journals import START_US, Journal, batch, readings


def rows_of(path: Path) -> list[JournalRow]:
    with JournalReader(path) as reader:
        return reader.read(0, max_rows=10**9, max_bytes=10**9)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def test_readings_come_out_in_order_of_device_name_and_time(journal: Journal) -> None:
    """Whatever order the batches arrived in."""
    journal.append("b", batch(["y", "x", "y"], [3, 1, 2], [1.0, 2.0, 3.0]))
    journal.append("a", batch(["z"], [9], [4.0]))
    journal.append("b", batch(["x"], [0], [5.0]))
    table = to_table("here", rows_of(journal.path)).to_pydict()
    assert list(zip(table["device"], table["name"], table["value"], strict=True)) == [
        ("a", "z", 4.0), ("b", "x", 5.0), ("b", "x", 2.0), ("b", "y", 3.0), ("b", "y", 1.0),
    ]  # fmt: skip


def test_each_reading_keeps_its_identity(journal: Journal) -> None:
    """(device, stream, seq) goes with the value through the sort."""
    journal.append("b", batch(["y", "x", "y"], [3, 1, 2], [1.0, 2.0, 3.0]))
    journal.append("b", batch(["x"], [0], [5.0]))
    journal.append("b", batch(["x"], [7], [6.0]), stream="00000000000000bb", received_at=77)
    table = to_table("here", rows_of(journal.path)).to_pydict()
    found = dict(zip(table["value"], zip(table["stream"], table["seq"], strict=True), strict=True))
    one, two = "00000000000000aa", "00000000000000bb"
    assert found == {1.0: (one, 1), 2.0: (one, 2), 3.0: (one, 3), 5.0: (one, 4), 6.0: (two, 1)}


def test_arrivals_are_cut_to_hundredths_of_a_second(journal: Journal) -> None:
    """Never rounded up: what came in the last moment of a day stays in it."""
    midnight = START_US // DAY_US * DAY_US + DAY_US
    for seed, late in enumerate((-1, 0, 9_999, 10_000)):
        journal.append("a", readings(1, seed=seed), received_at=midnight + late)
    found = to_table("here", rows_of(journal.path)).sort_by("seq")["received"]
    steps = [midnight - 10_000, midnight, midnight, midnight + 10_000]
    assert found.cast(pa.int64()).to_pylist() == steps


def test_units_and_clock_stand_with_their_readings(journal: Journal) -> None:
    """Absent ones are null, and a unit that changes does not lose the old one."""
    one, two = START_US, START_US + 1
    journal.append("a", batch(["p", "q"], [one, one], [1.0, 2.0]), units={"p": "Pa"})
    journal.append("a", batch(["p"], [two], [3.0]), units={"p": "hPa"}, clock="")
    table = to_table("here", rows_of(journal.path)).to_pydict()
    found = dict(zip(table["value"], zip(table["unit"], table["clock"], strict=True), strict=True))
    assert found == {1.0: ("Pa", "synced"), 2.0: (None, "synced"), 3.0: ("hPa", None)}


def test_texts_and_values_exclude_each_other_through_the_sort(journal: Journal) -> None:
    """A text reading has a null value and the other way round."""
    journal.append("a", batch(["t", "s"], [2, 1], [None, 1.5], ["open", None]))
    table = to_table("here", rows_of(journal.path)).to_pydict()
    assert (table["value"], table["text"]) == ([1.5, None], [None, "open"])


@pytest.mark.parametrize("unused", ["first", "middle", "zlast"])
def test_a_name_that_no_reading_has_changes_nothing(journal: Journal, unused: str) -> None:
    """A device may send all its names with each batch, and its readings in any order."""
    times = pa.array([3, 2, 1], pa.int64()).cast(BATCH_SCHEMA.field("time").type)
    names = pa.array(["kept", "middle-2", unused], pa.utf8())
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1], pa.int32()), names)
    values = pa.array([3.0, 2.0, 1.0])
    sent = [codes, times, values, pa.nulls(3, pa.utf8())]
    journal.append("a", pa.RecordBatch.from_arrays(sent, schema=BATCH_SCHEMA))
    table = to_table("here", rows_of(journal.path)).to_pydict()
    assert list(zip(table["name"], table["value"], table["seq"], strict=True)) == [
        ("kept", 3.0, 1), ("middle-2", 1.0, 3), ("middle-2", 2.0, 2),
    ]  # fmt: skip


def test_more_series_than_sixteen_bits_are_sorted_too(journal: Journal) -> None:
    """The fast sort has a bound; beyond it the order is the same."""
    count = 70_000
    names = [f"n{(at * 7919) % count:05d}" for at in range(count)]
    journal.append("a", batch(names, [1] * count, [1.0] * count))
    assert to_table("here", rows_of(journal.path))["name"].to_pylist() == sorted(names)


def test_times_that_cannot_be_right_are_marked(journal: Journal) -> None:
    """Before 2000, or more than a day after the arrival; everything else stays as it was said."""
    day, first = DAY_US, FIRST_US
    times = [0, first - 1, first, START_US - day, START_US + day, START_US + day + 1]
    rows = batch(["p"] * 6, times, [float(at) for at in range(6)])
    journal.append("a", rows, clock="", received_at=START_US)
    table = to_table("here", rows_of(journal.path)).to_pydict()
    found = dict(zip(table["value"], table["clock"], strict=True))
    assert found == {0.0: ODD, 1.0: ODD, 2.0: None, 3.0: None, 4.0: None, 5.0: ODD}
    assert table["time"][0].year == 1970


def test_a_gateway_without_a_clock_calls_nothing_ahead(journal: Journal) -> None:
    """Its arrivals are in 1970 until its clock is set; the devices may be right."""
    journal.append("a", readings(10), received_at=5_000_000)
    assert set(to_table("here", rows_of(journal.path))["clock"].to_pylist()) == {"synced"}


def test_odd_times_are_one_file_and_not_a_day_each(journal: Journal) -> None:
    """A device that counts days from 1970 would make thousands of partitions."""
    odd = batch(["p"] * 500, [at * DAY_US for at in range(500)], [1.0] * 500)
    journal.append("a", odd)
    journal.append("a", readings(10))
    ordinary, rest = apart(to_table("here", rows_of(journal.path)))
    assert [file.rows for file in encode_days(ordinary)] == [10]
    file = encode_odd(rest)
    assert file is not None
    assert (file.rows, file.min_time, file.max_time) == (500, 0, 499 * DAY_US)
    assert encode_odd(apart(ordinary)[1]) is None


def test_no_rows_make_an_empty_table() -> None:
    """The schema is there even so."""
    assert to_table("here", []).schema == READINGS_SCHEMA


def test_a_payload_that_is_not_what_its_row_says_is_refused(journal: Journal) -> None:
    """A wrong count would give readings the names of others."""
    journal.append("a", readings(10))
    row = rows_of(journal.path)[0]
    wrong = JournalRow(1, 0, "a", "s", 1, 9, 9, "arrow", row.payload)
    with pytest.raises(StorageCorrupt, match="should hold 9 readings"):
        to_table("here", [wrong])
    with pytest.raises(StorageCorrupt, match="does not decode"):
        to_table("here", [JournalRow(1, 0, "a", "s", 1, 10, 10, "arrow", row.payload[:-3])])


def test_each_day_is_a_file_and_midnight_belongs_to_the_new_day(journal: Journal) -> None:
    """Iceberg infers a file's day from its times: two days in one file would be refused."""
    midnight = START_US // DAY_US * DAY_US + DAY_US
    times = [midnight - 1, midnight, midnight + DAY_US, midnight + 5]
    journal.append("a", batch(["p"] * 4, times, [1.0, 2.0, 3.0, 4.0]))
    files = list(encode_days(to_table("here", rows_of(journal.path))))
    assert [file.rows for file in files] == [1, 2, 1]
    assert [file.day for file in files] == ["2025-06-15", "2025-06-16", "2025-06-17"]
    assert [(file.min_time, file.max_time) for file in files] == [
        (midnight - 1, midnight - 1), (midnight, midnight + 5), (midnight + DAY_US,) * 2,
    ]  # fmt: skip


def encodings(file: DayFile) -> dict[str, set[str]]:
    group = pq.ParquetFile(pa.BufferReader(file.data)).metadata.row_group(0)
    columns = [group.column(at) for at in range(group.num_columns)]
    return {column.path_in_schema: set(column.encodings) for column in columns}


def test_files_carry_no_field_ids_and_use_the_encodings(journal: Journal) -> None:
    """The table maps columns by name; regular times are deltas, values plain, labels dictionaries."""
    journal.append("a", readings(5_000))
    (file,) = encode_days(to_table("here", rows_of(journal.path)))
    parquet = pq.ParquetFile(pa.BufferReader(file.data))
    assert all(b"PARQUET:field_id" not in (f.metadata or {}) for f in parquet.schema_arrow)
    found = encodings(file)
    assert "DELTA_BINARY_PACKED" in found["time"]
    assert "DELTA_BINARY_PACKED" in found["seq"]
    assert found["value"] == {"PLAIN", "RLE"}
    assert "RLE_DICTIONARY" in found["device"]


def test_times_that_come_again_with_each_series_stay_plain(journal: Journal) -> None:
    """Polls that are some milliseconds late: zstd finds what differences would hide."""
    random = np.random.default_rng(0)
    times = START_US + np.arange(300) * 1_000_000 + random.integers(0, 40_000, 300)
    names = [f"s{at}" for at in range(8)]
    for at in times.tolist():
        journal.append("a", batch(names, [at] * 8, [1.5] * 8), received_at=at + at % 7_919)
    (file,) = encode_days(to_table("here", rows_of(journal.path)))
    found = encodings(file)
    assert found["time"] == {"PLAIN", "RLE"}


def test_no_file_has_an_encoding_that_a_reader_may_lack(journal: Journal) -> None:
    """Spark 4.0 refuses byte stream split, with which numbers without regularity would be smaller."""
    values = np.random.default_rng(0).normal(size=1_000).cumsum().tolist()
    journal.append("a", batch(["s"] * 1_000, list(range(START_US, START_US + 1_000)), values))
    (file,) = encode_days(to_table("here", rows_of(journal.path)))
    known = {"PLAIN", "RLE", "RLE_DICTIONARY", "DELTA_BINARY_PACKED"}
    assert set().union(*encodings(file).values()) <= known


def test_the_same_rows_give_the_same_bytes(journal: Journal) -> None:
    """A landing that is repeated after a kill writes the same objects."""
    for seed in range(3):
        journal.append("a", readings(1_000, seed=seed))
    first = [file.sha256 for file in encode_days(to_table("here", rows_of(journal.path)))]
    assert first == [file.sha256 for file in encode_days(to_table("here", rows_of(journal.path)))]
