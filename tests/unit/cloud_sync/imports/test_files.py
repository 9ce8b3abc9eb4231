"""CSV and Parquet files, wide and long, into a lake on a folder."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud_sync.imports.files.sniff import propose
from headrace.errors import ConfigError, InputError, UsageError
from tests.imports import configured, readings, run

WIDE = """
[[imports]]
plugin = "files"
job = "old-scada"
site = "plant"
path = "{path}"
{more}
[imports.mapping]
device = "{{stem}}"
{mapping}
"""


def wide(path: Path, more: str = "", mapping: str = "") -> str:
    return WIDE.format(path=path, more=more, mapping=mapping)


def at(second: int) -> dt.datetime:
    return dt.datetime(2024, 1, 1, 0, 0, second, tzinfo=dt.UTC)


def test_a_wide_file_becomes_a_series_per_column(tmp_path: Path) -> None:
    """Numbers, true and false are values, other cells texts, empty ones nothing; units are kept."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "pump-1.csv").write_text(
        "time,temperature,on,state\n2024-01-01T00:00:00Z,20.5,true,idle\n2024-01-01T00:00:01Z,,False,run\n"
    )
    outcome = run(tmp_path, wide(files, mapping='units = { temperature = "Cel" }'))
    assert (outcome.readings, outcome.landed, outcome.refused) == (5, 5, {})
    assert readings(tmp_path) == [
        {"device": "pump-1", "name": "on", "time": at(0), "value": 1.0, "text": None, "unit": None},
        {"device": "pump-1", "name": "on", "time": at(1), "value": 0.0, "text": None, "unit": None},
        {"device": "pump-1", "name": "state", "time": at(0), "value": None, "text": "idle", "unit": None},
        {"device": "pump-1", "name": "state", "time": at(1), "value": None, "text": "run", "unit": None},
        {"device": "pump-1", "name": "temperature", "time": at(0), "value": 20.5, "text": None, "unit": "Cel"},
    ]  # fmt: skip


def test_the_source_is_seen_in_each_reading(tmp_path: Path) -> None:
    """The stream names the job; sequence numbers have no holes."""
    (tmp_path / "a.csv").write_text("time,x\n2024-01-01,1\n2024-01-02,2\n")
    run(tmp_path, wide(tmp_path / "a.csv"))
    found = readings(tmp_path, "SELECT site, stream, min(seq) a, max(seq) z FROM readings GROUP BY ALL")  # fmt: skip
    assert found == [{"site": "plant", "stream": "import-old-scada", "a": 1, "z": 2}]


def test_a_long_file_of_another_country(tmp_path: Path) -> None:
    """Semicolons, decimal commas, latin-1, a line before the header, and local times."""
    text = "Bericht für Januar\nzeit;gerät;kanal;wert;einheit\n01.01.2024 01:00:00;k-1;T;1.234,5;Cel\n01.01.2024 01:00:01;k-2;P;-0,5;bar\n"
    (tmp_path / "b.csv").write_bytes(text.encode("latin-1"))
    table = f"""
[[imports]]
plugin = "files"
job = "bericht"
site = "werk"
path = "{tmp_path}/b.csv"
delimiter = ";"
encoding = "latin-1"
skip_lines = 1
[imports.mapping]
device_column = "gerät"
time_column = "zeit"
time_format = "%d.%m.%Y %H:%M:%S"
time_zone = "Europe/Berlin"
name_column = "kanal"
value_column = "wert"
unit_column = "einheit"
decimal = ","
"""
    run(tmp_path, table)
    assert readings(tmp_path) == [
        {"device": "k-1", "name": "T", "time": at(0), "value": 1234.5, "text": None, "unit": "Cel"},
        {"device": "k-2", "name": "P", "time": at(1), "value": -0.5, "text": None, "unit": "bar"},
    ]


def test_parquet_has_types_and_needs_fewer_words(tmp_path: Path) -> None:
    """Timestamps without a zone are in the job's; NaN is what pandas writes for nothing."""
    columns = {
        "time": pa.array([at(0).replace(tzinfo=None)] * 2, pa.timestamp("ns")),
        "p": [1.5, float("nan")], "n": pa.array([2**53 + 1, None], pa.int64()),
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "rig.parquet")
    run(tmp_path, wide(tmp_path / "rig.parquet"))
    found = [(row["name"], row["value"], row["text"]) for row in readings(tmp_path)]
    assert found == [("n", 2.0**53, None), ("p", 1.5, None)]


def test_rows_that_are_no_readings_are_counted(tmp_path: Path) -> None:
    """A line with a cell too many, a time that is none; the others come in."""
    (tmp_path / "a.csv").write_text("time,x\n2024-01-01,1\nyesterday,2\n2024-01-02,3,4\n2024-01-03,5\n")  # fmt: skip
    outcome = run(tmp_path, wide(tmp_path / "a.csv"))
    assert outcome.readings == 2
    assert outcome.refused == {"bad_time": 1, "bad_line": 1}


def test_only_new_files_are_imported_again(tmp_path: Path) -> None:
    """What has been imported is left alone, also where it has changed since."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.csv").write_text("time,x\n2024-01-01,1\n")
    assert run(tmp_path, wide(files)).readings == 1
    assert run(tmp_path, wide(files)).readings == 0
    (files / "b.csv").write_text("time,x\n2024-01-02,1\n")
    (files / "a.csv").write_text("time,x\n2024-01-01,1\n2024-01-01T01:00:00,1\n")
    assert run(tmp_path, wide(files)).readings == 1
    assert len(readings(tmp_path)) == 2


def test_a_lost_spool_is_not_begun_again(tmp_path: Path) -> None:
    """It would double what the lake has; the lake is asked first."""
    (tmp_path / "a.csv").write_text("time,x\n2024-01-01,1\n")
    run(tmp_path, wide(tmp_path / "a.csv"))
    (tmp_path / "imports" / "old-scada" / "journal.db").rename(tmp_path / "gone.db")
    with pytest.raises(UsageError, match="is gone"):
        run(tmp_path, wide(tmp_path / "a.csv"))


def test_a_job_stays_with_its_site(tmp_path: Path) -> None:
    """Its spool's numbers mean something under its own id only."""
    (tmp_path / "a.csv").write_text("time,x\n2024-01-01,1\n")
    table = wide(tmp_path / "a.csv")
    run(tmp_path, table)
    with pytest.raises(UsageError, match=r"'plant'.*'works'"):
        run(tmp_path, table.replace('site = "plant"', 'site = "works"'))


def test_a_wide_parquet_file_comes_in_chunks_of_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A row of a wide file is many readings: 10 of 4 columns are a chunk of 40."""
    monkeypatch.setattr("cloud_sync.imports.files.reading.IMPORT_CHUNK_ROWS", 40)
    times = pa.array([1_700_000_000_000_000 + at for at in range(25)], pa.timestamp("us", "UTC"))
    columns = {"time": times, **{name: list(range(25)) for name in "abc"}}
    pq.write_table(pa.table(columns), tmp_path / "rig.parquet")
    sizes: list[int] = []
    run(tmp_path, wide(tmp_path / "rig.parquet"), progress=lambda chunk: sizes.append(chunk.rows.num_rows))  # fmt: skip
    assert sizes == [30, 30, 15, 0]
    assert len(readings(tmp_path)) == 75


def test_every_fault_of_a_table_is_told_at_once(tmp_path: Path) -> None:
    """With its key."""
    table = """
[[imports]]
plugin = "files"
job = "Old Scada"
site = "a/b"
schedule = "whenever"
path = "x"
encoding = "klingon"
[imports.mapping]
device = "{nobody}"
device_column = "d"
time_format = "%Q"
"""
    with pytest.raises(ConfigError) as told:
        configured(tmp_path, table)
    keys = {fault.key.removeprefix("imports[0].") for fault in told.value.faults}
    assert keys == {"job", "site", "schedule", "encoding", "mapping.device", "mapping.time_format"}


def test_a_column_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    """And the command that proposes a mapping."""
    (tmp_path / "a.csv").write_text("when,x\n2024-01-01,1\n")
    with pytest.raises(UsageError, match=r"'time'.*'when', 'x'.*sniff"):
        run(tmp_path, wide(tmp_path / "a.csv"))
    with pytest.raises(InputError, match="no files"):
        run(tmp_path, wide(tmp_path / "nowhere"), job="old-scada")


def test_a_file_that_changes_in_the_middle_stops_the_job(tmp_path: Path) -> None:
    """Its first rows are imported, and which they were nobody knows any more."""
    path = tmp_path / "a.csv"
    path.write_text("time,x\n2024-01-01,1\n")

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, wide(path), progress=interrupted)
    path.write_text("time,x\n2024-01-01,7\n2024-01-01,8\n")
    os.utime(path, (1, 1))
    with pytest.raises(UsageError, match="1 of its rows are imported"):
        run(tmp_path, wide(path))


def test_a_file_of_a_header_alone_has_nothing(tmp_path: Path) -> None:
    """Nor has one without any byte."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.csv").write_text("time,x\n")
    (files / "b.csv").write_bytes(b"")
    assert run(tmp_path, wide(files)).readings == 0


CELLS = "time,flow\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:01Z,2\n"


TABS = 'delimiter = "\\t"\nencoding = "utf-16"'
AS_OTHERS_WRITE = {
    "gzip": ("rig.csv.gz", gzip.compress(CELLS.encode()), ""),
    "bzip2": ("rig.csv.bz2", bz2.compress(CELLS.encode()), ""),
    "utf-16": ("rig.csv", CELLS.encode("utf-16"), 'encoding = "utf-16"'),
    "a mark of byte order": ("rig.csv", CELLS.encode("utf-8-sig"), ""),
    "an old Mac": ("rig.csv", CELLS.replace("\n", "\r").encode(), ""),
    "Excel": ("rig.csv.gz", gzip.compress(CELLS.replace(",", "\t").encode("utf-16")), TABS),
}


@pytest.mark.parametrize("kind", AS_OTHERS_WRITE)
def test_a_file_as_others_write_it(tmp_path: Path, kind: str) -> None:
    """And sniffing finds what has to be said of it."""
    name, data, more = AS_OTHERS_WRITE[kind]
    path = tmp_path / name
    path.write_bytes(data)
    assert run(tmp_path, wide(path, more)).readings == 2
    assert [(row["device"], row["value"]) for row in readings(tmp_path)] == [("rig", 1), ("rig", 2)]
    for line in more.splitlines():
        assert line in propose(path)


@pytest.mark.parametrize(
    "header", ["time," + ",".join(f"c{at}" for at in range(10_000)), "time," + "x" * 5_000_000]
)
def test_a_file_that_is_no_table_is_said(tmp_path: Path, header: str) -> None:
    """A million columns would be a million series, and take a minute a row."""
    path = tmp_path / "wide.csv"
    path.write_text(f"{header}\n2026-01-01T00:00:00Z\n")
    for look in (lambda: run(tmp_path, wide(path)), lambda: propose(path)):
        with pytest.raises(UsageError, match="expected 10000 columns at most"):
            look()


def test_infinity_is_no_number_of_a_reading(tmp_path: Path) -> None:
    """In a typed column it is left out like NaN; as text it stays what it is."""
    times = pa.array([at(0), at(1)], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"time": times, "flow": [float("inf"), 2.0]}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("time,head\n2026-01-01T00:00:00Z,1e999\n")
    run(tmp_path, wide(tmp_path / "a.*"))
    found = [(row["name"], row["value"], row["text"]) for row in readings(tmp_path)]
    assert sorted(found) == [("flow", 2.0, None), ("head", None, "1e999")]
