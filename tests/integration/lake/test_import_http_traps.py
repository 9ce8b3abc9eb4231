"""HTTP APIs that would never end, or not fit: the job says so, and nothing comes twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_sync.imports import web
from headrace.errors import InputError, UsageError
from tests.imports import readings, run
from tests.servers.http import Reply, Request, http_server

TABLE = """
[[imports]]
plugin = "http"
job = "api"
site = "web"
url = "{url}/"
records = "items"
paging = "{paging}"
size_param = "limit"
page_size = 2
cursor_field = "next"
[imports.mapping]
device = "d"
time_column = "t"
time_format = "unix_s"
"""


def page(*seconds: int, then: str = "") -> Reply:
    items = [{"t": 1_700_000_000 + at, "temp": at} for at in seconds]
    return Reply(200, json.dumps({"items": items, "next": then}).encode())


def same_for_ever(_: Request) -> Reply:
    return page(1, 2, then="again")


def in_a_circle(request: Request) -> Reply:
    _, _, cursor = request.path.partition("cursor=")
    return {"": page(1, 2, then="b"), "b": page(3, 4, then="c")}.get(cursor, page(5, 6, then="b"))


@pytest.mark.parametrize(
    ("paging", "answer", "says", "values"),
    [
        ("page", same_for_ever, "page '2' has the same 2 records as the page before it", [1, 2]),
        ("offset", same_for_ever, "page '2' has the same 2 records", [1, 2]),
        ("cursor", same_for_ever, "page 'again' has the same 2 records", [1, 2]),
        ("cursor", in_a_circle, "the pages go in a circle: 'b' comes again", [1, 2, 3, 4]),
    ],
)
def test_paging_without_an_end_is_noticed_before_anything_comes_twice(
    tmp_path: Path, paging: str, answer: Callable[[Request], Reply], says: str, values: list[int]
) -> None:
    """Also by the next run, which goes on at the same place."""
    with http_server(answer) as server:
        table = TABLE.format(url=server.url, paging=paging)
        for _ in range(2):
            with pytest.raises(UsageError, match=says):
                run(tmp_path, table)
        assert len(server.requests) <= 5
    with http_server(lambda _: page()) as server:  # mended: an empty page is the end
        run(tmp_path, TABLE.format(url=server.url, paging=paging))
    assert [row["value"] for row in readings(tmp_path)] == values


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"items":' + b"[" * 100_000, "expected JSON"),
        (b'{"items":[' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"]}", "64 deep at most"),
        (
            json.dumps({"items": [{"t": 1, **{f"k{at}": 1 for at in range(10_001)}}]}).encode(),
            "10000 keys at most",
        ),
        (b'{"items": {"t": 1}}', "expected a list of objects at items"),
    ],
)
def test_json_that_is_no_page_is_said(tmp_path: Path, body: bytes, says: str) -> None:
    """In a line, without taking more memory than the answer."""
    with (
        http_server(lambda _: Reply(200, body)) as server,
        pytest.raises(UsageError, match=says),
    ):
        run(tmp_path, TABLE.format(url=server.url, paging="none"))


def test_an_answer_without_an_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it says of its length."""
    monkeypatch.setattr(web, "HTTP_ANSWER_BYTES", 100_000)
    monkeypatch.setattr(web, "HTTP_TRIES", 1)
    with (
        http_server(lambda _: Reply(200, b" " * 300_000)) as server,
        pytest.raises(InputError, match="more than 100000 bytes"),
    ):
        run(tmp_path, TABLE.format(url=server.url, paging="none"))
