"""The file sink on a real folder: formats, rotation, room, and dying anywhere."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from gateway.feed import Entry
from gateway.sinks.file import FileSettings, FileSink
from headrace.clock import ManualClock
from headrace.errors import SinkUnavailable
from tests.gateway_entries import START, entry, rows, series

ODD = 'say "hi", \\ and\nbye ü'


class Site:
    """A folder, and sinks on it one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self._sink: FileSink | None = None

    def open(self, **settings: Any) -> FileSink:
        """A new process: what the last one had in memory is gone."""
        self.close()
        self._sink = FileSink(
            FileSettings(folder=self.folder, **settings), site="s", clock=self.clock
        )
        return self._sink

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()

    def age_out(self, sink: FileSink) -> Path:
        """Let an hour pass; the newest file."""
        self.clock.advance(3_600)
        sink.idle()
        return self.files()[-1]

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    def values(self) -> list[float]:
        """Of all whole NDJSON files and the part, in order."""
        texts = [path.read_text() for path in self.files()]
        part = self.folder / ".headrace" / "part"
        texts += [part.read_text()] if part.exists() else []
        return [json.loads(line)["value"] for text in texts for line in text.splitlines()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "out")
    yield made
    made.close()


def batches() -> list[Entry]:
    """Two batches; the second begins a second delivery."""
    made = rows(["flow", ODD, "flow"], [START, START + 1, START + 2], [0.1 + 0.2, ODD, -3e-7])
    first = replace(
        entry("pump-1", made, received_at=START + 5), units={"flow": "m3/s"}, first_seq=7
    )
    return [first, series("pump-2", "x", [1.0, 2.0], offset=2, received_s=6)]


def expected() -> list[dict[str, Any]]:
    first = {"site": "s", "device": "pump-1", "stream": "0123456789abcdef", "received": "2023-11-14T22:13:20.000005Z"}  # fmt: skip
    second = {**first, "device": "pump-2", "name": "x", "text": None, "unit": None, "received": "2023-11-14T22:13:26.000000Z"}  # fmt: skip
    flow = {"name": "flow", "text": None, "unit": "m3/s"}
    return [
        {**first, **flow, "time": "2023-11-14T22:13:20.000000Z", "value": 0.1 + 0.2, "seq": 7},
        {**first, "name": ODD, "text": ODD, "unit": None, "time": "2023-11-14T22:13:20.000001Z", "value": None, "seq": 8},
        {**first, **flow, "time": "2023-11-14T22:13:20.000002Z", "value": -3e-7, "seq": 9},
        {**second, "time": "2023-11-14T22:13:20.000000Z", "value": 1.0, "seq": 1},
        {**second, "time": "2023-11-14T22:13:21.000000Z", "value": 2.0, "seq": 2},
    ]  # fmt: skip


def read(path: Path) -> list[dict[str, Any]]:
    """Any of the formats as a person reads it, times as texts."""
    if path.suffix in (".parquet", ".arrow"):
        table = (
            pq.read_table(path) if path.suffix == ".parquet" else pa.ipc.open_file(path).read_all()
        )
        return [
            {name: f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if name in ("time", "received") else value for name, value in row.items()}
            for row in table.to_pylist()
        ]  # fmt: skip
    text = (
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    ).decode()
    if ".csv" in path.name:
        found = csv.DictReader(io.StringIO(text))
        return [
            {**row, "seq": int(row["seq"]), "value": float(row["value"]) if row["value"] else None,
             "text": row["text"] or None, "unit": row["unit"] or None}
            for row in found
        ]  # fmt: skip
    blank = {"value": None, "text": None, "unit": None}
    return [{**blank, **json.loads(line)} for line in text.splitlines()]


@pytest.mark.parametrize(
    "settings",
    [
        {"format": "ndjson"}, {"format": "ndjson", "gzip": True}, {"format": "csv"},
        {"format": "csv", "gzip": True}, {"format": "parquet"}, {"format": "arrow"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)  # fmt: skip
def test_every_column_arrives_as_it_was_in_every_format(
    site: Site, settings: dict[str, Any]
) -> None:
    """Two deliveries in one file, of different devices and names."""
    sink = site.open(**settings)
    for batch in batches():
        assert sink.write([batch]) == []
    assert site.files() == []
    path = site.age_out(sink)
    suffix = f".{settings['format']}{'.gz' if settings.get('gzip') else ''}"
    assert path.name == f"readings-20231114T221320Z-000000000001{suffix}"
    assert read(path) == expected()


def test_numbers_that_are_not_finite_are_rejected_by_json_alone(site: Site) -> None:
    """The other formats can say them; and a delivery that comes again rejects them again."""
    given = series("d", "x", [1.0, float("inf"), float("nan")])
    for _ in range(2):
        (rejected,) = site.open().write([given])
        assert rejected.rows is not None
        assert (rejected.reason, rejected.rows.num_rows) == ("not_finite", 2)
    assert site.values() == [1.0]
    assert site.open(format="csv").write([series("d", "x", [float("-inf")], offset=2)]) == []


def test_files_end_by_size_and_by_age(site: Site) -> None:
    """Whichever comes first; names are in order."""
    sink = site.open(max_file_bytes=64 * 1024)
    for at in range(6):
        sink.write([series("d", "x", [1.0] * 200, offset=at + 1, received_s=at)])
    assert [path.name[-10:] for path in site.files()] == ["001.ndjson", "004.ndjson"]
    sink.write([series("d", "x", [1.0], offset=7, received_s=7)])
    assert site.age_out(sink).name.endswith("007.ndjson")
    assert len(site.values()) == 1_201


class Died(Exception):
    """The process ends here."""


@pytest.mark.parametrize("format_name", ["ndjson", "parquet"])
@pytest.mark.parametrize("step", range(36))
def test_dying_at_any_step_loses_and_doubles_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, step: int, format_name: str
) -> None:
    """Before each of many fsyncs; what was not answered comes again, with more behind it."""
    given = [
        series("d", "x", [float(at)], offset=at + 1, first_seq=at + 1, received_s=at)
        for at in range(9)
    ]
    settings: dict[str, Any] = {"format": format_name, "max_file_age_s": 1.5}
    real, left = os.fsync, step

    def dying(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Died
        real(descriptor)

    monkeypatch.setattr(os, "fsync", dying)
    sink, at = site.open(**settings), 0
    with suppress(Died):
        for at in range(9):
            sink.write(given[at : at + 1])
            site.clock.advance(1)
    monkeypatch.setattr(os, "fsync", real)
    # The gateway may not have committed the last answer: that batch comes again, too.
    again = site.open(**settings)
    again.write(given[max(at - 1, 0) : 5])
    again.write(given[max(at - 1, 5) :])
    site.age_out(again)
    found = [row["value"] for path in site.files() for row in read(path)]
    assert sorted(found) == [float(each) for each in range(9)]


def test_a_second_of_both_lanes_may_come_again(site: Site) -> None:
    """While there is history the gateway writes down once a second where its lanes are."""
    sink = site.open()
    lanes = [
        [series("d", "x", [float(at)], offset=at, first_seq=at, received_s=at) for at in offsets]
        for offsets in (range(1_000, 1_200), range(1, 201))
    ]
    given = [batch for pair in zip(*lanes, strict=True) for batch in pair]
    for batch in given:
        sink.write([batch])
        site.clock.advance(0.005)
    again = site.open()
    for lane in lanes:
        again.write(lane)
    assert sorted(site.values()) == sorted(batch.rows.column(2)[0].as_py() for batch in given)


def test_what_a_power_cut_left_behind_the_last_delivery_is_cut_off(site: Site) -> None:
    """Bytes that were appended and never accepted."""
    site.open().write([series("d", "x", [1.0])])
    with (site.folder / ".headrace" / "part").open("a") as part:
        part.write('{"site":"s","dev')
    site.open().write([series("d", "x", [2.0], offset=2, received_s=2)])
    assert site.values() == [1.0, 2.0]


def test_a_journal_that_was_replaced_counts_from_one_anew_and_loses_nothing(site: Site) -> None:
    """Offsets alone would look like batches that are there."""
    sink = site.open()
    sink.write([series("d", "x", [1.0], offset=1, received_s=1)])
    sink.write([series("d", "x", [2.0], offset=1, received_s=1_000)])
    assert site.values() == [1.0, 2.0]


def test_a_format_that_was_changed_ends_the_file_that_was_begun(site: Site) -> None:
    """In the format in which it was begun."""
    site.open(format="parquet").write(batches()[:1])
    sink = site.open(format="csv")
    sink.write(batches()[1:])
    assert [path.suffix for path in site.files()] == [".parquet"]
    site.age_out(sink)
    assert [row for path in site.files() for row in read(path)] == expected()


def test_over_the_total_the_oldest_files_go_and_are_counted(site: Site) -> None:
    """So a folder that nobody empties does not fill the disk."""
    sink = site.open(max_file_bytes=64 * 1024, max_total_bytes=256 * 1024)
    for at in range(12):
        sink.write([series("d", "x", [1.0] * 500, offset=at + 1, received_s=at)])
    total = sum(path.stat().st_size for path in site.files())
    assert total <= 256 * 1024
    state = json.loads((site.folder / ".headrace" / "state.json").read_text())
    assert state["removed_files"] == 12 - len(site.files()) > 0
    assert site.files()[-1].name.endswith("000000000012.ndjson")


def test_over_the_total_it_can_stop_instead(site: Site) -> None:
    """Until somebody makes room; nothing is removed."""
    sink = site.open(max_file_bytes=64 * 1024, max_total_bytes=128 * 1024, when_full="stop")
    sink.write([series("d", "x", [1.0] * 700, offset=1)])
    given = [series("d", "x", [1.0] * 700, offset=2, received_s=2)]
    with pytest.raises(SinkUnavailable, match="max_total_bytes"):
        sink.write(given)
    site.files()[0].unlink()
    assert sink.write(given) == []


def test_two_sinks_do_not_write_into_one_folder(site: Site) -> None:
    """The second waits until the first has gone, as at a reload."""
    first = site.open()
    first.write([series("d", "x", [1.0])])
    second = FileSink(FileSettings(folder=site.folder), site="s", clock=site.clock)
    given = [series("d", "x", [2.0], offset=2, received_s=2)]
    with pytest.raises(SinkUnavailable, match="another sink"):
        second.write(given)
    first.close()
    second.write(given)
    second.close()
    assert site.values() == [1.0, 2.0]


def test_a_batch_without_readings_makes_no_file(site: Site) -> None:
    """A damaged row of the journal keeps its place and has none."""
    empty = series("d", "x", [1.0])
    sink = site.open()
    assert sink.write([replace(empty, rows=empty.rows.slice(0, 0))]) == []
    site.clock.advance(3_600)
    sink.idle()
    assert site.files() == []
