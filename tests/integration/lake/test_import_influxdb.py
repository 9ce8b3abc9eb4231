"""The history of a real InfluxDB 1.x: every point once, also with kills between, and a sink's data back."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from headrace.errors import InputError, UsageError
from tests.imports import readings, run
from tests.servers.influxdb import InfluxDB, influxdb

TABLE = """
[[imports]]
plugin = "influxdb"
job = "influx"
site = "plant"
url = "{url}"
database = "{database}"
start = "2024-01-01T00:00:00Z"
{more}
"""
START_NS = 1_704_067_200_000_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    with influxdb(tmp_path_factory.mktemp("influxdb")) as running:
        yield running


def write(server: InfluxDB, database: str, lines: list[str]) -> None:
    server.query(f'CREATE DATABASE "{database}"')
    body = "\n".join(lines).encode()
    urllib.request.urlopen(f"{server.url}/write?db={database}", data=body, timeout=10).close()


def test_every_point_comes_once_whatever_its_page(server: InfluxDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Pages of 7 rows over times that 5 series share, stopped behind every second page."""
    monkeypatch.setattr("cloud_sync.imports.influxdb.keyset.INFLUXDB_PAGE_ROWS", 7)
    lines = [
        f"env,device=k-{at % 5},room=r\\ {at % 2} temp={at / 10},n={at}i,on={str(at % 3 == 0).lower()} {START_NS + at // 5 * 1_000}"
        for at in range(100)
    ]
    lines += [f'log,device=k-1 text="20" {START_NS + at}' for at in range(3)]
    write(server, "pages", lines)
    table = TABLE.format(url=server.url, database="pages", more="")

    def interrupted(_: object) -> None:
        pages.append(1)
        if len(pages) % 2 == 0:
            raise KeyboardInterrupt

    pages: list[int] = []
    for _ in range(60):
        before = len(pages)
        try:
            run(tmp_path, table, progress=interrupted)
        except KeyboardInterrupt:
            continue
        if len(pages) == before:
            break
    found = readings(tmp_path)
    assert len(found) == 303
    temps = {(row["device"], row["name"], row["value"]) for row in found if row["name"].startswith("env.temp")}  # fmt: skip
    assert temps == {(f"k-{at % 5}", f"env.temp;room=r {at % 2}", at / 10) for at in range(100)}
    texts = [(row["name"], row["text"]) for row in found if row["text"]]
    assert texts == [("log.text", "20")] * 3  # a string stays one; nanoseconds are cut off to 1 us


def test_what_a_sink_wrote_gets_its_names_back(server: InfluxDB, tmp_path: Path) -> None:
    """Measurement readings, tags device and name, field value or text."""
    write(server, "sink", [
        f"readings,device=pump-1,name=flow\\ rate,site=plant value=1.5 {START_NS}",
        f'readings,device=pump-1,name=state,site=plant text="on" {START_NS}',
    ])  # fmt: skip
    run(tmp_path, TABLE.format(url=server.url, database="sink", more='name_tag = "name"'))
    found = [(row["name"], row["value"], row["text"]) for row in readings(tmp_path)]
    assert found == [("flow rate", 1.5, None), ("state", None, "on")]


def test_new_points_come_with_the_next_run(server: InfluxDB, tmp_path: Path) -> None:
    """From behind the last time on."""
    write(server, "grows", [f"m,device=d v={at} {START_NS + at * 1_000}" for at in range(5)])
    table = TABLE.format(url=server.url, database="grows", more='measurements = ["m"]')
    assert run(tmp_path, table).readings == 5
    write(server, "grows", [f"m,device=d v={at} {START_NS + at * 1_000}" for at in range(5, 8)])
    assert run(tmp_path, table).readings == 3


def test_a_database_that_is_not_there_is_named(server: InfluxDB, tmp_path: Path) -> None:
    """With measurements in the words of the server, without them in ours."""
    with pytest.raises(UsageError, match="database not found"):
        run(tmp_path, TABLE.format(url=server.url, database="nowhere", more='measurements = ["m"]'))
    with pytest.raises(InputError, match="no measurements"):
        run(tmp_path, TABLE.format(url=server.url, database="nowhere", more=""))


def test_a_server_that_asks_for_a_password_gets_it(tmp_path: Path) -> None:
    """And one that is wrong ends the job at once, with what the server said."""
    with influxdb(tmp_path / "server", auth=True) as server:
        server.query("CREATE USER reader WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
        owner = replace(server, user=("reader", "secret"))
        owner.query("CREATE DATABASE iot")
        url = f"{server.url}/write?db=iot&u=reader&p=secret"
        urllib.request.urlopen(url, data=f"m,device=d v=1 {START_NS}".encode(), timeout=10).close()
        (tmp_path / "password").write_text("secret\n")
        more = f'username = "reader"\npassword_file = "{tmp_path}/password"'
        table = TABLE.format(url=server.url, database="iot", more=more)
        assert run(tmp_path, table).readings == 1
        (tmp_path / "password").write_text("wrong\n")
        with pytest.raises(UsageError, match="401"):
            run(tmp_path, table)
