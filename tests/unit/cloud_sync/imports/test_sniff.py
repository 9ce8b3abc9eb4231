"""What ``cloud-sync import sniff`` finds out of the beginning of a file."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud_sync.imports.files.sniff import propose
from headrace.errors import UsageError


def proposed(path: Path) -> dict[str, Any]:
    (table,) = tomllib.loads(propose(path))["imports"]
    found: dict[str, Any] = table
    return found


def test_a_long_file_is_told_by_the_names_of_its_columns(tmp_path: Path) -> None:
    """Tabs, milliseconds, units; a value that looks like seconds is no time."""
    path = tmp_path / "export.tsv"
    path.write_text(
        "value\ttag\tsensor\tepoch\tunit\n1700000000\tflow\tk-1\t1700000000123\tl/min\n"
    )
    found = proposed(path)
    assert found["delimiter"] == "\t"
    assert found["mapping"] == {
        "device_column": "sensor", "time_column": "epoch", "time_format": "unix_ms",
        "name_column": "tag", "value_column": "value", "unit_column": "unit",
    }  # fmt: skip


def test_a_parquet_file_says_its_types(tmp_path: Path) -> None:
    """The device is called as the file, as far as it may be."""
    path = tmp_path / "Rig 7 (new).parquet"
    pq.write_table(pa.table({"p": [1.0], "at": [datetime(2024, 1, 1, tzinfo=UTC)]}), path)
    found = proposed(path)
    assert (found["job"], found["mapping"]["device"]) == ("rig-7-new", "Rig-7-new-")
    assert (found["mapping"]["time_column"], found["mapping"]["time_format"]) == ("at", "auto")


def test_an_old_spreadsheet_is_no_riddle(tmp_path: Path) -> None:
    """Latin-1, semicolons, decimal commas, days before months."""
    path = tmp_path / "b.csv"
    path.write_bytes("Zeit;Größe\n13.02.2024 10:00;1,5\n".encode("latin-1"))
    found = proposed(path)
    assert (found["delimiter"], found["encoding"], found["mapping"]["decimal"]) == (";", "latin-1", ",")  # fmt: skip
    assert found["mapping"]["time_format"] == "%d.%m.%Y %H:%M"


def test_a_file_without_a_time_or_without_rows_is_told(tmp_path: Path) -> None:
    """With the columns that are there."""
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,x\n")
    with pytest.raises(UsageError, match="there are a, b"):
        propose(path)
    path.write_text("time,b\n")
    with pytest.raises(UsageError, match="no rows"):
        propose(path)
