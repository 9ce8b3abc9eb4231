"""Odd lines, written to a real InfluxDB and to the codec: what one takes, the other takes, and as the same."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from headrace import codecs
from headrace.codecs.line import FORMAT_OF_PRECISION
from headrace.errors import PayloadError
from tests.servers.influxdb import InfluxDB, influxdb

NOW = 1_790_000_000_000_000
DATABASE = "odd"

ALIKE = [
    # spaces, tabs, NULs
    "m f=1", "m f=1 ", "m f=1\t", "m f=1 \t", "  m f=1", "\tm f=1", "m  f=1", "m \tf=1", "m\tf=1",
    "m f=1  1000", "m f=1 1000 ", "m f=1 1000\t", "m f=1 1000 2", "m\0 f=1", "\0m f=1", "m f=1 \0",
    "m f=1\0", "m f\tx=1", "m,t=a\tb f=1", "m f=1\v", "m f=1\f5", "m\u00a0x f=1", "m f=t\t", "m", "m ",
    # numbers
    "m f=1i", "m f=-1i", "m f=+1", "m f=+1i", "m f=.5", "m f=5.", "m f=-.5", "m f=.", "m f=-", "m f=-.",
    "m f=1e5", "m f=1E+5", "m f=1e", "m f=1e400", "m f=1e-400", "m f=0x10", "m f=0x1i", "m f=1_0", "m f=nan", "m f=NaN",
    "m f=inf", "m f=-inf", "m f=-0", "m f=-0i", "m f=007i", "m f=007", "m f=9223372036854775808i",
    "m f=-9223372036854775808i", "m f=1.5i", "m f=1i2", "m f=i", "m f=1u8", "m f=1iu", "m f=--1", "m f=1-1", "m f=1e+-5",
    "m f=e5", "m f=-e5", "m f=1..2", "m f=1e5i", "m f=-i", "m f=12345678901234567890.5", "m f=1e00000000000000000001",
    "m f=00000000000000000000000000000005i", "m f=0.1", "m f=2.2250738585072014e-308", "m f=5e-324", "m f=" + "1" * 400,
    # booleans
    *(f"m f={word}" for word in ("t", "T", "true", "True", "TRUE", "tRUE", "f", "F", "false", "False", "FALSE", "x", "tr")),
    # strings
    'm f="a"', 'm f=""', 'm f="a b,c=d"', r'm f="a\"b"', r'm f="a\\"', r'm f="a\n"', 'm f="a\nb"', 'm f="a', "m f='a'",
    'm f=a"b"', 'm f="a",g=1', 'm f="a" "b"', 'm f="a"=1', 'm f="a",', 'm f="",g=""', r'm f="\\\""',
    'm f="a\\\nb"', 'm f="a\r\nb"', r'm f="a\"', 'm f="µ"',
    # fields
    "m f=1,", "m f=1,,g=2", "m f", "m f=", "m =1", "m f=1,=2", "m f=1 ,g=2", "m f=1, g=2", "m a b=1", "m a,b=1", "m f=1=2",
    'm f=1,g="x y",h=t 5', 'm,t=a f"x=1', 'm,t=a "f"=1', r"m f\ x=1", r"m f\,x=1", r"m f\=x=1", r"m f\\=1", r"m f\\x=1",
    r'm f\"x=1', r"m f=1\,g=2", "m f=1\\ ", r"m \ f=1",
    # tags
    "m,t=a f=1", "m,t=a,s=b f=1", "m,t=a,t=b f=1", "m,a=1,b=2,a=3 f=1", "m,t= f=1", "m,=a f=1", "m, f=1", "m,t f=1",
    "m,t=a=b f=1", "m,t==b f=1", "m,t=a, f=1", r"m,t=a\=b f=1", r"m,t=a\,b f=1", r"m,t=a\ b f=1", r"m,t=a\b f=1",
    r"m,t=a\\b f=1", r"m,t=a\\ b f=1", r"m,t=a\ f=1", r"m,t\,=a f=1", 'm,t="a b" f=1', 'm,t="a" f=1', r"m,t=\ f=1",
    r"m,t=\  f=1", r"m,\==a f=1", r"m,t=\=a f=1", r"m,t=C:\\x f=1", "m,t=== f=1", "m,t=a;b f=1",
    # measurements
    r"m\,x f=1", r"m\ x f=1", r"m\=x f=1", "m=x f=1", r"m\\x f=1", ",t=a f=1", "m#c f=1", '"m" f=1', r"\m f=1", r"m\ f=1",
    r"m\,,t=a f=1", r"\,m f=1", r"\ m f=1", "µ,ß=ü ö=1",
    # comments, empty lines
    "#c", " #c", "m f=1 #c", "m f=1#c", "m f=1\n\nm g=2\n", "m f=1 5\n#x\nm g=2 5", " ", "",
    # times
    "m f=1 -", "m f=1 1.5", "m f=1 1e3", "m f=1 +5", "m f=1 00012", "m f=1 0x5", "m f=1 99999999999999999999", "m f=1 -0",
]  # fmt: skip

#: Where the two differ on purpose, and which of them takes the line (docs/wire.md says why).
DIFFERENT = {
    "m f=1\r\n": "headrace",  # files from Windows
    "m f=1 1000\r\n": "headrace",
    'm f=1\n# a="b\nm g=1': "headrace",  # InfluxDB takes the line behind the comment for a part of it
    "m time=1": "headrace",  # a name like others
    "m,time=a f=1": "headrace",
    "m f=1u": "headrace",  # InfluxDB 2 takes it; 1.x only if built so
    'm f="a"b': "influxdb",  # it keeps a"
    'm f="a""b"': "influxdb",
    r'm f="a\\"b': "influxdb",
    'm f="a"\t': "influxdb",
    "m\\\nx f=1": "influxdb",  # no line breaks in names
    r"m\\,t=a f=1": "nobody knows",  # InfluxDB answers 204 and stores nothing that can be read
    "m f=1 -1": "influxdb",  # before 1970
    'm f="\udcff"': "influxdb",  # not UTF-8
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    with influxdb(tmp_path_factory.mktemp("influxdb")) as running:
        yield running


def taken_by_influxdb(server: InfluxDB, line: bytes, precision: str = "ns") -> list[Any] | None:
    """(series, value) and given times as our names would be, or None where it refused."""
    server.query(f"DROP DATABASE {DATABASE}")
    server.query(f"CREATE DATABASE {DATABASE}")
    try:
        url = f"{server.url}/write?db={DATABASE}&precision={precision}"
        urllib.request.urlopen(urllib.request.Request(url, data=line), timeout=10).close()
    except urllib.error.HTTPError as error:
        if error.code == 400:
            return None
        raise
    query = urllib.parse.urlencode(
        {"db": DATABASE, "epoch": "u", "q": "SELECT * FROM /.*/ GROUP BY *"}
    )
    with urllib.request.urlopen(f"{server.url}/query?{query}", timeout=10) as answer:
        found = json.load(answer, parse_int=float)["results"][0].get("series", [])
    return sorted(
        (f"{each['name']}.{field}{_suffix(each.get('tags', {}))}", value)
        for each in found
        for row in each["values"]
        for field, value in zip(each["columns"][1:], row[1:], strict=True)
        if value is not None
    )


def _suffix(tags: dict[str, str]) -> str:
    return "".join(f";{key}={tags[key]}" for key in sorted(tags))


def taken_by_headrace(line: bytes, format_name: str = "line") -> list[Any] | None:
    try:
        rows = codecs.decode(format_name, line, NOW).rows.to_pydict()
    except PayloadError as error:
        # A payload of comments is nothing wrong for InfluxDB, and no batch for us.
        return [] if error.reason == "bad_schema" else None
    return sorted(
        (name, text if value is None else value)
        for name, value, text in zip(rows["name"], rows["value"], rows["text"], strict=True)
    )


@pytest.mark.parametrize("line", ALIKE)
def test_a_line_is_taken_as_influxdb_takes_it(server: InfluxDB, line: str) -> None:
    """The same series with the same values, or refused by both."""
    assert taken_by_headrace(line.encode()) == taken_by_influxdb(server, line.encode())


@pytest.mark.parametrize("line", DIFFERENT)
def test_differences_are_those_that_are_written_down(server: InfluxDB, line: str) -> None:
    """Each is a decision; one that goes away has to leave the list."""
    data = line.encode(errors="surrogateescape")
    ours, theirs = taken_by_headrace(data), taken_by_influxdb(server, data)
    assert ours != theirs
    assert (ours is None) == (DIFFERENT[line] == "influxdb")


@pytest.mark.parametrize(
    ("precision", "time"),
    [("n", NOW * 1_000 + 999), ("u", NOW), ("ms", NOW // 1_000), ("s", NOW // 10**6), ("m", NOW // (60 * 10**6)), ("h", NOW // (3_600 * 10**6))],
)  # fmt: skip
def test_precision_means_what_it_means_to_influxdb(
    server: InfluxDB, precision: str, time: int
) -> None:
    """The unit of times is in the name of the format."""
    line = b"m f=1 %d" % time
    assert taken_by_influxdb(server, line, precision) == [("m.f", 1)]
    (stored,) = server.query("SELECT f FROM m", DATABASE)
    rows = codecs.decode(FORMAT_OF_PRECISION[precision], line, 0).rows
    assert rows.column("time").cast("int64").to_pylist() == [stored[0]]
