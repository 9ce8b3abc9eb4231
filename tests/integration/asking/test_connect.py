"""``headrace.connect``: a folder and an endpoint by the same methods, as somebody uses them who looks at data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import headrace
from headrace.client.connection import Connection
from headrace.errors import LakeUnavailable, QueryError, QueryStopped, UsageError
from tests.journals import START_US
from tests.servers import free_port
from tests.serving import TOKEN, Server, serving

START = datetime.fromtimestamp(START_US / 1e6, UTC)
EVER = datetime(2001, 1, 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("serve")) as made:
        yield made


@pytest.fixture(params=["folder", "endpoint"])
def lake(server: Server, request: pytest.FixtureRequest) -> Iterator[Connection]:
    is_folder = request.param == "folder"
    with headrace.connect(
        server.data if is_folder else server.url, token=None if is_folder else TOKEN
    ) as made:
        yield made


def test_it_is_the_same_for_a_folder_and_an_endpoint(lake: Connection) -> None:
    """One interface, one answer, one kind of error."""
    found = lake.readings("pump-1", ["s0", "s1"], datetime.fromtimestamp(START_US / 1e6, UTC))
    table = found.to_arrow()
    assert table.num_rows == len(found) == 200
    assert table.schema.field("time").type == pa.timestamp("us", "UTC")
    assert table["name"].to_pylist() == ["s0"] * 100 + ["s1"] * 100
    assert lake.readings("pump-1", "s0", end="2001-01-01").to_pylist() == []
    assert next(iter(lake.last("pump-2", "s3")))["device"] == "pump-2"
    assert [row["device"] for row in lake.devices()] == ["pump-0", "pump-1", "pump-2"]
    assert len(lake.series("pump-0")) == 4
    assert "latest" in lake.tables().to_arrow()["name"].to_pylist()
    assert lake.sql("SELECT $x + 1 AS y", {"x": 41}).to_pylist() == [{"y": 42}]
    assert lake.sql("SELECT ? AS y", ["it's"]).to_pylist() == [{"y": "it's"}]
    with pytest.raises(QueryError, match="nope"):
        lake.sql("SELECT nope FROM readings").to_arrow()
    frame = found.to_pandas()
    assert list(frame.columns)[:4] == ["site", "device", "name", "time"]
    assert found.to_polars().shape == (200, 7)


def test_a_time_is_taken_in_every_form_that_people_have(lake: Connection) -> None:
    """Without a zone it is UTC; answers are in UTC."""
    plain = START.replace(tzinfo=None)
    zoned = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
    forms: list[Any] = [
        START, plain, zoned, plain.isoformat(), zoned.isoformat(), pd.Timestamp(plain), pd.Timestamp(zoned),
        pd.Timestamp(START).tz_convert("America/New_York"), np.datetime64(plain), np.datetime64(plain, "ns"),
        f"{plain:%Y-%m-%d %H:%M:%S} UTC",
    ]  # fmt: skip
    later = START + timedelta(milliseconds=40)
    for form in forms:
        found = lake.readings("pump-1", "s0", form, later)
        assert len(found) == 40, form
        assert found.to_pylist()[0]["time"] == START
    assert len(lake.readings("pump-1", "s0", date(START.year, START.month, START.day), later)) == 40
    assert str(found.to_pandas()["time"].dtype) == "datetime64[us, UTC]"


def test_what_cannot_be_asked_is_said_at_once(lake: Connection) -> None:
    """Before anything is read."""
    for start, end in (
        (START, EVER),
        ("2026-11-23", date(2026, 11, 22)),
        (START, START - timedelta(1)),
    ):
        with pytest.raises(UsageError, match="is after end"):
            lake.readings("pump-1", start=start, end=end)
    for wrong in (pd.NaT, np.datetime64("NaT"), 1.5, [START]):
        with pytest.raises(UsageError, match="start: expected a time"):
            lake.readings("pump-1", start=wrong)
    with pytest.raises(UsageError, match="device: expected texts, got 5"):
        lake.readings(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="names: expected texts, got 7"):
        lake.last("pump-1", ["s0", 7])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="limit: expected 0 or more"):
        lake.readings("pump-1", limit=-1)
    with pytest.raises(QueryError, match="yesterday"):
        lake.readings("pump-1", start="yesterday").to_arrow()


def test_a_typing_error_is_no_empty_answer(lake: Connection) -> None:
    """A device or a name that there is not, with those that are alike; also where others were found."""
    with pytest.raises(UsageError, match=r"no device 'pmp-1' \(did you mean 'pump-1'"):
        lake.readings("pmp-1").to_pandas()
    with pytest.raises(UsageError, match=r"device 'pump-1' has no series 's11' \(did you mean"):
        lake.readings("pump-1", ["s0", "s11"]).to_arrow()
    with pytest.raises(UsageError, match="there is no series 'flow'"):
        list(lake.readings(names="flow").batches())
    with pytest.raises(UsageError, match="no device 'fan'"):
        len(lake.last("fan"))
    with pytest.raises(UsageError, match="no device 'pump-1'"):
        len(lake.readings("pump-1", site="elsewhere"))


def test_no_readings_in_a_time_are_an_empty_answer_with_its_columns(lake: Connection) -> None:
    """Of a device that is there; so a loop over days needs no exception."""
    found = lake.readings("pump-1", ["s0", "s1"], end=EVER)
    assert found.to_arrow().num_rows == 0
    frame = found.to_pandas()
    assert list(frame.columns) == ["site", "device", "name", "time", "value", "text", "unit"]
    assert (str(frame["time"].dtype), str(frame["value"].dtype)) == (
        "datetime64[us, UTC]",
        "float64",
    )
    assert found.to_polars().shape == (0, 7)
    assert list(found.batches()) == []
    assert len(lake.readings("pump-1", limit=0)) == 0


def test_no_names_are_all_names(lake: Connection) -> None:
    """However that is said; and any kind of several is taken."""
    assert len(lake.readings("pump-1", None)) == len(lake.readings("pump-1", [])) == 400
    assert len(lake.readings("pump-1", {"s0", "s1"})) == 200
    assert len(lake.readings("pump-1", pd.Series(["s0"]))) == 100
    assert len(lake.last()) == 12


def test_parameters_may_be_numpys(lake: Connection) -> None:
    """As they come out of a frame."""
    found = lake.sql(
        "SELECT $n + 1 AS n, len($names) AS m", {"n": np.int64(41), "names": np.array(["a", "b"])}
    )
    assert found.to_pylist() == [{"n": 42, "m": 2}]
    assert lake.sql("SELECT ? AS x", [np.float64(0.5)]).to_pylist() == [{"x": 0.5}]


def test_an_answer_comes_in_batches_and_is_not_kept(lake: Connection) -> None:
    """Other questions may be asked in between."""
    found = lake.sql("SELECT range AS n FROM range(90000)")
    total = 0
    for batch in found.batches():
        assert isinstance(batch, pa.RecordBatch)
        assert batch.num_rows <= 65_536
        total += batch.num_rows
        assert len(lake.last("pump-1")) == 4
    assert total == 90_000
    assert "not asked yet" in repr(found)
    assert len(found) == 90_000
    assert "90,000 rows: n" in repr(found)


def test_a_stream_that_is_left_in_the_middle_harms_nobody(lake: Connection, server: Server) -> None:
    """The next questions are answered, by the same workers: a cancel may come when all is over."""
    killed = server.metric("headrace_serve_killed_workers_total")
    for _ in range(8):
        for _ in lake.sql("SELECT range AS n FROM range(90000)").batches():
            break
        for _ in range(2):
            assert lake.sql("SELECT 1 AS one").to_pylist() == [{"one": 1}]
    assert server.metric("headrace_serve_killed_workers_total") == killed


def test_a_closed_connection_says_so(server: Server) -> None:
    """In its own words."""
    for lake in (headrace.connect(server.data), headrace.connect(server.url, token=TOKEN)):
        lake.close()
        lake.close()
        with pytest.raises(UsageError, match="closed"):
            lake.devices().to_arrow()


def test_a_stream_that_breaks_says_so(server: Server) -> None:
    """Whatever was there before."""
    sql = "SELECT repeat('x', 100) FROM range(65536) UNION ALL SELECT 'y' FROM range(100000)"
    with headrace.connect(server.url, token=TOKEN) as lake:
        with pytest.raises(LakeUnavailable, match="cut off"):
            list(lake.sql(sql).batches())
        assert len(lake.devices()) == 3


def test_it_says_what_is_wrong_with_an_endpoint(server: Server) -> None:
    """No token, nobody there, too much asked."""
    with pytest.raises(UsageError, match="token"):
        headrace.connect(server.url).devices().to_arrow()
    with pytest.raises(LakeUnavailable):
        headrace.connect(f"http://127.0.0.1:{free_port()}", token=TOKEN).devices().to_arrow()
    with pytest.raises(QueryStopped, match="100,000 rows"):
        headrace.connect(server.url, token=TOKEN).sql("SELECT true FROM range(100001)").to_arrow()
    with pytest.raises(UsageError, match="no data folder"):
        headrace.connect(server.data / "nowhere")
    with pytest.raises(UsageError, match="are for an address"):
        headrace.connect(server.data, token=TOKEN)
