from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gateway.sinks.influxdb import PLUGIN
from gateway.sinks.influxdb.lines import points
from gateway.sinks.influxdb.sink import InfluxDBSink
from gateway.sinks.influxdb.write import Answer
from headrace.config import FaultList, PluginTable
from headrace.errors import SinkUnavailable
from headrace.limits.sinks import INFLUXDB_MAX_BYTES, INFLUXDB_MAX_LINES, SINK_MAX_PROBES
from headrace.plugins import SINKS, find, read_plugins
from tests.gateway_entries import START, entry, rows, series


class FakeServer:
    """A Writer that keeps lines by their text and refuses those with a bad value."""

    def __init__(self, bad: set[float] | None = None, status: int = 204) -> None:
        self.bad = bad or set()
        self.status = status
        self.lines: set[str] = set()
        self.posts = 0

    def post(self, payload: bytes) -> Answer:
        self.posts += 1
        if self.status != 204:
            return Answer(self.status, "as told")
        refused = 0
        for line in payload.decode().split("\n"):
            if (found := re.search(r"value=(\S+)", line)) and float(found[1]) in self.bad:
                refused += 1
            else:
                self.lines.add(line)
        return Answer(400, f"partial write: no dropped={refused}") if refused else Answer(204)

    def close(self) -> None: ...


def lines(*names_and_values: tuple[str, float | str]) -> list[str]:
    names, values = zip(*names_and_values, strict=True)
    batch = rows(list(names), [START] * len(names), list(values))
    return points([entry("d 1", batch)], measurement="m", site="s")[0].lines.to_pylist()


def test_numbers_and_texts_become_fields_and_names_are_escaped_as_tags() -> None:
    """One line a reading."""
    assert lines(("a b", 1.5), ("c,d=e", 'x"\\'), ("n", -1e-9)) == [
        f"m,device=d\\ 1,name=a\\ b,site=s value=1.5 {START}",
        f'm,device=d\\ 1,name=c\\,d\\=e,site=s text="x\\"\\\\" {START}',
        f"m,device=d\\ 1,name=n,site=s value=-1e-9 {START}",
    ]


def test_requests_are_bounded_in_lines_and_in_bytes() -> None:
    """Whichever comes first."""
    many, _ = points([series("d", "x", [1.0] * (INFLUXDB_MAX_LINES + 5))], measurement="m", site="")
    assert [(int(items[0]), int(items[-1]) + 1) for items in many.requests()] == [
        (0, INFLUXDB_MAX_LINES),
        (INFLUXDB_MAX_LINES, INFLUXDB_MAX_LINES + 5),
    ]
    long, _ = points([series("d", "x", ["y" * 60_000] * 300)], measurement="m", site="")
    sizes = [len(long.payload(items)) for items in long.requests()]
    assert max(sizes) <= INFLUXDB_MAX_BYTES
    assert len(sizes) == 3


def test_bad_readings_among_many_are_rejected_alone() -> None:
    """Nothing around them is lost."""
    server = FakeServer(bad={3.0, 500.0, 501.0})
    sink = InfluxDBSink(server, measurement="m", site="s")
    batches = [series("a", "x", [float(at) for at in range(400)]), series("b", "x", [float(at) for at in range(400, 1_000)])]  # fmt: skip
    rejected = sink.write(batches)
    assert [(one.entry.device, one.rows.column(2).to_pylist()) for one in rejected if one.rows] == [
        ("a", [3.0]),
        ("b", [500.0, 501.0]),
    ]
    assert len(server.lines) == 997


def test_a_search_for_bad_readings_is_bounded() -> None:
    """A server that refuses every other reading must not cost ten thousand requests."""
    count = INFLUXDB_MAX_LINES
    server = FakeServer(bad=set(map(float, range(0, count, 2))))
    sink = InfluxDBSink(server, measurement="m", site="s")
    (rejected,) = sink.write([series("a", "x", [float(at) for at in range(count)], step_s=0.001)])
    assert server.posts < 3 * SINK_MAX_PROBES
    assert rejected.rows is not None
    assert rejected.rows.num_rows + len(server.lines) >= count


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503])
def test_answers_that_people_or_time_will_mend_keep_the_batch(status: int) -> None:
    """Nothing is rejected because a token was wrong."""
    sink = InfluxDBSink(FakeServer(status=status), measurement="m", site="s")
    with pytest.raises(SinkUnavailable, match=str(status)):
        sink.write([series("a", "x", [1.0])])


def test_the_plugin_folder_is_complete_and_its_sample_loads() -> None:
    """A sink is a folder: code, sample, README."""
    assert find(SINKS, "influxdb") is PLUGIN
    assert (Path(PLUGIN.build.__code__.co_filename).parent / "README.md").is_file()
    (table,) = tomllib.loads(PLUGIN.sample())["sinks"]
    name = table.pop("plugin")
    found = FaultList()
    assert len(read_plugins(SINKS, (PluginTable("sinks[0]", name, table),), found)) == 1
    assert found.faults == []


def test_what_an_api_needs_is_asked_for_with_its_key() -> None:
    """Before anything starts."""
    found = FaultList()
    tables = (
        PluginTable("sinks[0]", "influxdb", {"api": "v1"}),
        PluginTable("sinks[1]", "influxdb", {"token_file": "/nowhere/token"}),
    )
    read_plugins(SINKS, tables, found)
    assert [fault.key for fault in found.faults] == [
        "sinks[0].database", "sinks[1].bucket", "sinks[1].token_file",
    ]  # fmt: skip
