"""Imports from other systems: pages, quotas, secrets, and that what was imported is not asked for again."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headrace.clock import ManualClock
from headrace.errors import ConfigError, InputError, UsageError
from tests.imports import configured, readings, run
from tests.servers.analytics import Ga4, Mixpanel
from tests.servers.http import Reply, Request, http_server
from tests.servers.influxdb_query import InfluxDB2, InfluxDB3Query

NOW_US = int(datetime(2024, 3, 10, 12, 0, tzinfo=UTC).timestamp()) * 1_000_000


@dataclass
class Api:
    """Records in pages, in every kind of paging; ``items`` may grow."""

    items: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def grow(self, count: int) -> None:
        start = len(self.items)
        self.items += [
            {"t": 1_700_000_000 + at, "dev": {"id": f"d-{at % 2}"}, "temp": at / 2, "tags": ["a"]}
            for at in range(start, start + count)
        ]

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != "Bearer abc":
            return Reply(401, b"who are you?")
        path, _, query = request.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        self.asked.append(asked)
        size = int(asked.get("limit", 10))
        if path == "/page":
            start = (int(asked["page"]) - 1) * size
        else:
            start = int(asked.get("offset", asked.get("cursor", "0")))
        end = start + size
        more = str(end) if end < len(self.items) else None
        body = {"data": {"items": self.items[start:end]}, "meta": {"next": more}}
        headers = {"Link": f'</link?offset={end}>; rel="next"'} if more and path == "/link" else {}
        return Reply(200, json.dumps(body).encode(), headers)


TABLE = """
[[imports]]
plugin = "http"
job = "api"
site = "web"
url = "{url}/{paging}"
records = "data.items"
paging = "{paging}"
{more}
cursor_field = "meta.next"
auth_file = "{folder}/secret"
[imports.mapping]
device_column = "dev.id"
time_column = "t"
time_format = "unix_s"
columns = {{ temp = "temperature" }}
"""
PAGING = {
    "page": 'size_param = "limit"\npage_size = 10',
    "offset": 'size_param = "limit"\npage_size = 10\npage_param = "offset"',
    "cursor": "",
    "link": "",
}


@pytest.mark.parametrize("paging", PAGING)
def test_each_kind_of_paging_goes_on_where_it_was(paging: str, tmp_path: Path) -> None:
    """The last page is asked for again, and only its new records are taken."""
    (tmp_path / "secret").write_text("Bearer abc\n")
    api = Api()
    api.grow(25)
    with http_server(api) as server:
        table = TABLE.format(url=server.url, paging=paging, folder=tmp_path, more=PAGING[paging])
        assert run(tmp_path, table).readings == 25
        assert len(api.asked) == 3
        assert run(tmp_path, table).readings == 0
        api.grow(12)
        assert run(tmp_path, table).readings == 12
    found = readings(tmp_path, "SELECT device, count(*) n, sum(value) v FROM readings GROUP BY ALL ORDER BY 1")  # fmt: skip
    assert [row["n"] for row in found] == [19, 18]
    assert sum(row["v"] for row in found) == sum(range(37)) / 2


def test_an_api_that_is_busy_is_waited_for_and_one_that_refuses_is_not(tmp_path: Path) -> None:
    """503 with Retry-After, then an answer; 401 ends the job with what was said."""
    (tmp_path / "secret").write_text("Bearer abc\n")
    api = Api()
    api.grow(5)
    busy = [Reply(503, b"", {"Retry-After": "1"}), Reply(429, b"slow down")]

    def answer(request: Request) -> Reply:
        return busy.pop() if busy else api(request)

    with http_server(answer) as server:
        table = TABLE.format(url=server.url, paging="cursor", folder=tmp_path, more="")
        assert run(tmp_path, table).readings == 5
        (tmp_path / "secret").write_text("Bearer wrong\n")
        with pytest.raises(UsageError, match=r"401.*who are you"):
            run(tmp_path, table)


def test_a_secret_goes_to_no_other_host(tmp_path: Path) -> None:
    """Neither by the link of a next page, nor in the clear, nor by a redirect."""
    (tmp_path / "secret").write_text("Bearer abc\n")
    replies = [
        Reply(200, b'{"data": {"items": []}, "meta": {"next": "https://elsewhere.example/x"}}'),
        Reply(302, b"", {"Location": "https://elsewhere.example/x"}),
    ]
    with http_server(lambda _: replies.pop(0)) as server:
        table = TABLE.format(url=server.url, paging="link", folder=tmp_path, more="")
        with pytest.raises(UsageError, match=r"elsewhere\.example"):
            run(tmp_path, table)
        with pytest.raises(UsageError, match="302"):
            run(tmp_path, table)
    with pytest.raises(ConfigError, match="in the clear"):
        configured(tmp_path, TABLE.format(url="http://api.example.com", paging="link", folder=tmp_path, more=""))  # fmt: skip


def test_an_api_that_stays_away_ends_the_job_in_time(tmp_path: Path) -> None:
    """What is asked for later than an hour is said, not waited for."""
    (tmp_path / "secret").write_text("Bearer abc\n")
    with http_server(lambda _: Reply(429, b"", {"Retry-After": "86400"})) as server:
        table = TABLE.format(url=server.url, paging="cursor", folder=tmp_path, more="")
        with pytest.raises(InputError, match="86400 s"):
            run(tmp_path, table)


def stopped_behind(chunks: int) -> Callable[[object], None]:
    """A kill, as far as the source can tell, behind so many chunks that are on disk."""
    left = [chunks]

    def progress(_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    return progress


MIXPANEL = """
[[imports]]
plugin = "mixpanel"
job = "mixpanel"
site = "web"
url = "{url}"
username = "headrace"
project_id = "1"
secret_file = "{folder}/secret"
first_day = "2024-03-06"
values = ["amount"]
requests_per_hour = 3600
"""


def test_mixpanel_is_imported_day_by_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in a day, it goes on in the same export: a second one would be in another order."""
    monkeypatch.setattr("cloud_sync.imports.mixpanel.source.EXPORT_CHUNK_LINES", 10)
    (tmp_path / "secret").write_text("s3cret\n")
    service = Mixpanel(busy=1)
    start = int(datetime(2024, 3, 6, tzinfo=UTC).timestamp())
    for at in range(75):
        day = datetime.fromtimestamp(start + at * 3_600, UTC).date().isoformat()
        service.add(day, "Purchase", start + at * 3_600, amount=at, **{"$insert_id": f"i{at}"})
    clock = ManualClock(NOW_US)
    with http_server(service) as server:
        table = MIXPANEL.format(url=server.url, folder=tmp_path)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, table, progress=stopped_behind(2), clock=clock)
        run(tmp_path, table, clock=clock)
        assert run(tmp_path, table, clock=clock).readings == 0
    assert service.asked == [
        "2024-03-06",
        "2024-03-07",
        "2024-03-08",
    ]  # the 9th ended half a day ago
    found = readings(
        tmp_path,
        "SELECT name, count(*) n, count(DISTINCT time) t, sum(value) v, "
        "count(DISTINCT text ->> '$.$insert_id') ids FROM readings GROUP BY ALL ORDER BY 1",
    )
    assert [(row["name"], row["n"], row["t"]) for row in found] == [("event/Purchase", 72, 72), ("event/Purchase.amount", 72, 72)]  # fmt: skip
    assert found[1]["v"] == sum(range(72))
    assert list((tmp_path / "imports" / "mixpanel").glob("export-*")) == []


def test_an_export_that_is_gone_in_the_middle_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Another one would bring what is imported a second time, in another order."""
    monkeypatch.setattr("cloud_sync.imports.mixpanel.source.EXPORT_CHUNK_LINES", 3)
    (tmp_path / "secret").write_text("s3cret\n")
    service = Mixpanel()
    start = int(datetime(2024, 3, 6, tzinfo=UTC).timestamp())
    for at in range(9):
        service.add("2024-03-06", "x", start + at)
    clock = ManualClock(NOW_US)
    with http_server(service) as server:
        table = MIXPANEL.format(url=server.url, folder=tmp_path)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, table, progress=stopped_behind(1), clock=clock)
        next((tmp_path / "imports" / "mixpanel").glob("export-*")).unlink()
        with pytest.raises(UsageError, match="is gone"):
            run(tmp_path, table, clock=clock)


def test_ga4_is_imported_in_pages_of_days(tmp_path: Path) -> None:
    """Hours are those of the property's zone; a quota that is used up is waited for."""
    (tmp_path / "token").write_text("t0ken\n")
    service = Ga4(busy=1)
    service.rows["2024-03-07"] = [
        (f"20240307{hour:02d}", country, str(hour + 1)) for hour in range(3) for country in ("Norway", "Peru")
    ]  # fmt: skip
    table = """
[[imports]]
plugin = "ga4"
job = "ga4"
site = "web"
url = "{url}"
property_id = "123"
token_file = "{folder}/token"
first_day = "2024-03-06"
time_zone = "Europe/Berlin"
dimensions = ["dateHour", "country"]
metrics = ["activeUsers"]
page_rows = 4
requests_per_minute = 6000
"""
    clock = ManualClock(NOW_US)
    with http_server(service) as server:
        text = table.format(url=server.url, folder=tmp_path)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, text, progress=stopped_behind(2), clock=clock)
        run(tmp_path, text, clock=clock)
        assert run(tmp_path, text, clock=clock).readings == 0
    assert service.pages == [("2024-03-06", 0), ("2024-03-07", 0), ("2024-03-07", 4)]
    found = readings(tmp_path)
    assert len(found) == 6
    assert found[0]["name"] == "activeUsers;country=Norway"
    assert found[0]["time"] == datetime(2024, 3, 6, 23, 0, tzinfo=UTC)
    assert [row["value"] for row in found] == [1.0, 2.0, 3.0] * 2


INFLUX = """
[[imports]]
plugin = "influxdb"
job = "influx"
site = "plant"
url = "{url}"
api = "{api}"
token_file = "{folder}/token"
start = "2024-01-01T00:00:00Z"
end = "2024-01-01T03:00:00Z"
{more}
"""


def test_influxdb_2_is_imported_by_windows(tmp_path: Path) -> None:
    """Types are those of the annotations; a window is asked for once."""
    (tmp_path / "token").write_text("t0ken\n")
    service = InfluxDB2(points=[
        ("2024-01-01T00:30:00Z", "env", "temp", "double", "20.5", "k-1"),
        ("2024-01-01T01:30:00.5Z", "env", "on", "boolean", "true", "k-1"),
        ("2024-01-01T01:30:00Z", "env", "state", "string", '"7, or so"', "k-2"),
        ("2024-01-01T03:30:00Z", "env", "temp", "double", "99", "k-1"),
    ])  # fmt: skip
    with http_server(service) as server:
        table = INFLUX.format(url=server.url, folder=tmp_path, api="v2", more='bucket = "iot"\norg = "site"')  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, table, progress=stopped_behind(1))
        run(tmp_path, table)
    assert [start for start, _ in service.ranges] == [f"2024-01-01T0{hour}:00:00Z" for hour in range(3)]  # fmt: skip
    found = [(row["device"], row["name"], row["value"], row["text"]) for row in readings(tmp_path)]
    assert found == [
        ("k-1", "env.on", 1.0, None), ("k-1", "env.temp", 20.5, None), ("k-2", "env.state", None, "7, or so"),
    ]  # fmt: skip


def test_influxdb_3_is_imported_in_pages_behind_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Times to the nanosecond; rows of one time are never cut apart, whatever the page."""
    monkeypatch.setattr("cloud_sync.imports.influxdb.keyset.INFLUXDB_PAGE_ROWS", 3)
    (tmp_path / "token").write_text("t0ken\n")
    service = InfluxDB3Query(rows=[
        {"time": f"2024-01-01T00:00:{at // 5:02d}.000000{at // 5:03d}", "device": f"k-{at}", "temp": at}
        for at in range(20)
    ])  # fmt: skip
    with http_server(service) as server:
        table = INFLUX.format(url=server.url, folder=tmp_path, api="v3", more='database = "iot"')
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, table, progress=stopped_behind(2))
        run(tmp_path, table)
        assert run(tmp_path, table).readings == 0
    assert max(service.limits) == 6
    found = readings(tmp_path)
    assert sorted(row["value"] for row in found) == [float(at) for at in range(20)]
    assert {row["name"] for row in found} == {"env.temp"}
