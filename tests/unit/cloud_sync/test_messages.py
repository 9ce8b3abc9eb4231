"""Messages of a topic as files: decoded, sorted into days, odd times and what is no batch apart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cloud_sync.stream.messages import Files, Put, put_all
from headrace.codecs import arrow
from headrace.lake.store import LocalStore
from tests.journals import START_US, STREAM, readings

DAY_US = 86_400_000_000


def message(device: str = "pump-1", *, start_us: int = START_US, **other: Any) -> dict[str, Any]:
    rows = readings(8, start_us=start_us)
    value = arrow.encode_plain(rows, stream=STREAM, first_seq=1, units={}, clock="synced")
    when = datetime.fromtimestamp(START_US / 1e6 + 60, UTC)
    named = {
        "site": "test", "device": device, "stream": STREAM, "first_seq": "1", "rows": "8",
        "encoding": "arrow", "value": value, "timestamp": when,
    }  # fmt: skip
    return named | other


def put(folder: Path, *messages: dict[str, Any]) -> list[Put]:
    return list(put_all(Files(LocalStore(folder), "stream=kafka/7", 3), messages))


def test_messages_become_a_file_a_day(tmp_path: Path) -> None:
    """With the columns of readings, in their order."""
    found = put(tmp_path, message("b"), message("a"), message("a", start_us=START_US - 2 * DAY_US))
    assert [(each.kind, each.rows) for each in found] == [("streamed", 8), ("streamed", 16)]
    table = pq.read_table(
        tmp_path / "streamed/stream=kafka/7/000003-000001.parquet", partitioning=None
    )
    assert table.column("device").to_pylist() == ["a"] * 8 + ["b"] * 8


def test_another_attempt_puts_the_same_names(tmp_path: Path) -> None:
    """So what was not committed is replaced."""
    assert put(tmp_path, message()) == put(tmp_path, message())


def test_times_that_cannot_be_right_are_put_apart(tmp_path: Path) -> None:
    """As in a landing."""
    (odd,) = put(tmp_path, message(start_us=START_US + 30 * DAY_US))
    assert (odd.kind, odd.rows) == ("odd", 8)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"value": b"\x00broken"}, "does not decode"),
        ({"rows": "9"}, "should hold 9"),
        ({"first_seq": None}, "do not name it"),
        ({"site": None}, "missing"),
        ({"device": "../a"}, "no id"),
        ({"encoding": "avro"}, "avro"),
    ],
)
def test_what_is_no_batch_costs_no_other(tmp_path: Path, other: dict[str, Any], why: str) -> None:
    """It is kept with the reason."""
    aside, sound = put(tmp_path, message(**other), message("pump-2"))
    assert (aside.kind, sound.kind, sound.rows) == ("quarantine", "streamed", 8)
    (fault,) = pq.read_table(aside.uri.removeprefix("file://"), partitioning=None)[
        "fault"
    ].to_pylist()
    assert why in fault
