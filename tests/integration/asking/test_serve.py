"""``headrace serve`` as a process, asked over HTTP and by ``headrace.connect``."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import headrace
from headrace.client.http import ARROW
from headrace.errors import LakeUnavailable
from tests.bench.meter import children
from tests.journals import START_US
from tests.servers import wait_until
from tests.serving import TOKEN, Server, serving

SLOW = "SELECT count(*) FROM range(100000000000) a, range(1000) b"
FEW = "SELECT device, name, value FROM readings WHERE device = $device ORDER BY ALL LIMIT 3"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("serve")) as made:
        yield made


def test_a_statement_is_answered_as_json_csv_or_arrow(server: Server) -> None:
    """Over what is registered, landed and in the journal; the headers say what was read."""
    body = json.dumps({"sql": FEW, "params": {"device": "pump-2"}})
    status, found, headers = server.ask(
        "POST", "/api/v1/sql", body, Content_Type="application/json"
    )
    assert status == 200
    rows = json.loads(found)
    assert [row["device"] for row in rows] == ["pump-2"] * 3
    assert headers["headrace-tail-readings"] == "400"
    kinds = {"text/csv": lambda each: list(csv.DictReader(io.StringIO(each.decode()))),
             ARROW: lambda each: pa.ipc.open_stream(each).read_all().to_pylist()}  # fmt: skip
    for accept, parse in kinds.items():
        status, found, headers = server.ask(
            "POST", "/api/v1/sql", body, Content_Type="application/json", Accept=accept
        )
        assert (status, headers["content-type"]) == (200, accept)
        assert [float(row["value"]) for row in parse(found)] == [row["value"] for row in rows]
    assert server.sql("SELECT count(*) AS n FROM readings")[1] == [{"n": 1200}]


def test_readings_can_be_asked_for_without_sql(server: Server) -> None:
    """By device, names and times, with a limit."""
    start = datetime.fromtimestamp(START_US / 1e6, UTC).isoformat().replace("+00:00", "Z")
    path = f"/api/v1/readings?device=pump-1&name=s0&name=s3&start={start}&limit=150"
    status, found, headers = server.ask("GET", path)
    rows = json.loads(found)
    assert status == 200
    assert {row["name"] for row in rows} == {"s0", "s3"}
    assert len(rows) == 150
    assert rows[0] == rows[0] | {"device": "pump-1", "name": "s0", "unit": "Cel", "time": start}
    assert headers["headrace-files-skipped"] == "1"
    assert json.loads(server.ask("GET", path + "&end=" + start)[1]) == []
    lines = server.ask("GET", "/api/v1/latest?device=pump-0&format=csv")[1].decode().splitlines()
    assert len(lines) == 5
    devices = json.loads(server.ask("GET", "/api/v1/devices")[1])
    assert [(row["device"], row["series"]) for row in devices] == [
        ("pump-0", 4), ("pump-1", 4), ("pump-2", 4),
    ]  # fmt: skip
    tables = {
        row["name"]: row["columns"] for row in json.loads(server.ask("GET", "/api/v1/tables")[1])
    }
    assert set(tables) == {"alerts", "latest", "models", "readings", "series"}
    assert tables["latest"] == ["site", "device", "name", "time", "value", "text", "unit"]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/api/v1/sql", "SELEC 1", {}, 400),
        ("POST", "/api/v1/sql", "SELECT nope FROM readings", {}, 400),
        ("POST", "/api/v1/sql", "COPY readings TO '/tmp/stolen'", {}, 400),
        ("POST", "/api/v1/sql", "WITH x AS (COPY (SELECT 1) TO '/tmp/stolen') SELECT 1", {}, 400),
        ("POST", "/api/v1/sql", "SELECT * FROM read_text('/etc/passwd')", {}, 400),
        ("POST", "/api/v1/sql", "SELECT * FROM '/etc/passwd'", {}, 400),
        ("POST", "/api/v1/sql", "SELECT $x", {}, 400),
        ("POST", "/api/v1/sql", "", {}, 400),
        ("POST", "/api/v1/sql", b"\xff\xfe", {}, 400),
        ("POST", "/api/v1/sql", '{"sql": 1}', {"Content_Type": "application/json"}, 400),
        ("POST", "/api/v1/sql", '{"sql": "SELECT 1", "x": 1}', {"Content_Type": "application/json"}, 400),
        ("POST", "/api/v1/sql", "SELECT 1", {"Content_Type": "image/png"}, 415),
        ("POST", "/api/v1/sql", "SELECT 1", {"Accept": "image/png"}, 406),
        ("POST", "/api/v1/sql", "SELECT 1 --" + "x" * 200_000, {}, 413),
        ("POST", "/api/v1/sql", "SELECT 1 --" + "x" * 2_000_000, {}, 413),
        ("GET", "/api/v1/readings?devise=x", None, {}, 400),
        ("GET", "/api/v1/readings?device=x&device=y", None, {}, 400),
        ("GET", "/api/v1/tables?format=", None, {}, 400),
        ("GET", "/api/v1/devices?device=x", None, {}, 400),
        ("GET", "/api/v1/readings?limit=-1", None, {}, 400),
        ("GET", "/api/v1/readings?start=yesterday", None, {}, 400),
        ("GET", "/api/v1/sql", None, {}, 405),
        ("GET", "/api/v2/sql", None, {}, 404),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_a_reason(
    server: Server, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    """In one shape, whatever it is."""
    given = {"Content_Type": "text/plain"} | headers
    found, answer, _ = server.ask(method, path, body, **given)
    assert found == status, answer
    assert json.loads(answer)["message"]
    assert not Path("/tmp/stolen").exists()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        (SLOW, "3 s"),
        ("SELECT length(repeat('x', 2000000000))", "memory"),
        (
            "SELECT count(DISTINCT range::VARCHAR || 'xxxxxxxxxxxxxxxx') FROM range(9000000)",
            "memory",
        ),
        ("SELECT 1 FROM range(100001)", "100,000 rows"),
        ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT count(*) FROM t", ""),
    ],
)
def test_a_statement_that_needs_too_much_is_ended(server: Server, sql: str, says: str) -> None:
    """Time, memory (also memory that DuckDB does not count) and rows; the next is answered as ever."""
    status, answer = server.sql(sql, Accept="text/csv")  # which is short enough to be held back
    assert status == 422, answer
    assert says in answer["message"]
    assert server.sql("SELECT 1 AS one") == (200, [{"one": 1}])


def test_a_long_answer_that_breaks_is_cut_off_and_never_looks_whole(server: Server) -> None:
    """65,536 rows have gone out when the 100,001st is one too many."""
    sql = "SELECT repeat('x', 100) FROM range(65536) UNION ALL SELECT 'y' FROM range(100000)"
    with pytest.raises(http.client.IncompleteRead):
        server.ask("POST", "/api/v1/sql", sql, Content_Type="text/plain")
    with (
        headrace.connect(server.url, token=TOKEN) as lake,
        pytest.raises(LakeUnavailable, match="cut off"),
    ):
        lake.sql(sql).to_arrow()


def test_a_question_is_stopped_when_nobody_waits_for_it(server: Server) -> None:
    """The worker is free again, and alive, wherever in its question it was."""
    # Each worker in turn: its first question opens the lake, which takes seconds.
    for _ in range(2):
        assert server.sql("SELECT count(*) AS n FROM readings")[0] == 200
    killed = server.metric("headrace_serve_killed_workers_total")
    for pause in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
        abandon(server, pause)
    assert server.metric("headrace_serve_killed_workers_total") == killed


def abandon(server: Server, pause_s: float) -> None:
    """Ask what takes for ever and hang up ``pause_s`` after a worker has it."""
    gone = 'headrace_serve_requests_total{status="499"}'
    before = server.metric(gone)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        request = (
            f"POST /api/v1/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(SLOW)}\r\n\r\n{SLOW}"
        )
        client.sendall(request.encode())
        wait_until(lambda: server.metric("headrace_serve_running") == 1, 20, "it runs")
        threading.Event().wait(pause_s)
    wait_until(lambda: server.metric(gone) == before + 1, 20, "it was noticed")
    wait_until(lambda: server.metric("headrace_serve_running") == 0, 20, "the worker is free")


def test_a_worker_that_dies_costs_its_question_only(server: Server) -> None:
    """kill -9 on all of them: others take their place."""
    workers = children(server.process.pid)
    assert len(workers) == 2
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: server.sql("SELECT 1")[0] == 200, 60, "it answers again")
    wait_until(lambda: len(children(server.process.pid)) == 2, 60, "two workers again")
    assert server.sql("SELECT 1 AS one") == (200, [{"one": 1}])


def test_only_tokens_of_the_file_are_taken_and_a_revoked_one_no_more(server: Server) -> None:
    """From the next request on; pages that tell nothing of readings are for all."""
    other = "another-token-of-a-good-length"
    whole = server.tokens.read_text(encoding="utf-8")
    assert server.ask("GET", "/api/v1/devices", Authorization="Bearer " + other)[0] == 401
    server.tokens.write_text(whole + other + "\n", encoding="utf-8")
    assert server.ask("GET", "/api/v1/devices", Authorization="Bearer " + other)[0] == 200
    server.tokens.write_text(whole, encoding="utf-8")
    assert server.ask("GET", "/api/v1/devices", Authorization="Bearer " + other)[0] == 401
    for shown in ("", "Bearer", "Bearer ", "Basic " + TOKEN, "Bearer " + TOKEN[:-1]):
        assert server.ask("GET", "/metrics", Authorization=shown)[0] == 401
    assert server.ask("GET", "/healthz", Authorization="")[0] == 200
    assert b"/api/v1/sql" in server.ask("GET", "/", Authorization="")[1]
    assert json.loads(server.ask("GET", "/openapi.json", Authorization="")[1])["openapi"] == "3.1.0"


def test_it_ends_on_sigterm_and_its_workers_with_it(server: Server) -> None:
    """The last of this file: exit status 0, nothing left behind."""
    workers = children(server.process.pid)
    server.process.terminate()
    assert server.process.wait(20) == 0
    for pid in workers:
        wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), 10, "a worker has ended")
