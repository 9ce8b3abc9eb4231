"""``headrace serve`` under attack by somebody who has a good token, or whose page a visitor's browser shows."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.bench.meter import children
from tests.servers import wait_until
from tests.serving import TOKEN, Server, serving

#: Bounds of the server that would make a test wait.
QUICK = {
    "headrace.serve.app.SERVE_BODY_S": 0.5,
    "headrace.serve.reply.SERVE_STALL_S": 1.0,
    "headrace.serve.service.SERVE_STALL_S": 1.0,
}

DEEP = "device = 'a' OR (device > 'b' AND ("

REFUSED = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('{lake}/catalogue.db')",
    "SELECT * FROM glob('{lake}/**')",
    "SELECT * FROM parquet_scan('{lake}/landing/**/*.parquet')",
    "SELECT * FROM '{lake}/*.csv'",
    "SELECT * FROM iceberg_scan('{lake}')",
    "SELECT * FROM sqlite_scan('{lake}/catalogue.db', 'iceberg_tables')",
    "ATTACH '{lake}/catalogue.db' AS stolen",
    "COPY readings TO '{lake}/stolen.csv'",
    "EXPORT DATABASE '{lake}/stolen'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET allowed_paths = ['/etc']",
    "PRAGMA database_list",
    "RESET lock_configuration",
    "CREATE MACRO f() AS TABLE SELECT 1",
    "PREPARE x AS SELECT 1",
    "SELECT 1; COPY readings TO '{lake}/stolen.csv'",
    "SELECT getenv('PATH')",
    "FROM duckdb_secrets()",
    "SELECT current_setting('allowed_paths')",
    "SHOW temp_directory",
    "SELECT sql FROM duckdb_views",
    "SELECT definition FROM pg_views",
    "SELECT setting FROM pg_settings",
    "SELECT pg_get_viewdef(oid) FROM information_schema.tables",
    "SELECT * FROM readings_elsewhere",
    "EXPLAIN ANALYZE SELECT * FROM readings",
    "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM readings",
    "EXPLAIN (/* ) SELECT 1 -- */ ANALYZE) SELECT * FROM duckdb_settings()",
    f"SELECT * FROM readings WHERE {DEEP * 400}true{'))' * 400}",
    f"SELECT {'[' * 900}{']' * 900}",
    f"SELECT {'(' * 40_000}1{')' * 40_000}",
    "SELECT 1" + "9" * 90_000 + "::INTEGER",
    "SELECT regexp_matches('a', '((a{1000}){1000}){1000}')",
    "SELECT error('x')",
]

ENDED = [
    "SELECT count(*) FROM readings a, readings b, readings c, readings d",
    "SELECT list(range) FROM range(1000000000000)",
    "SELECT * FROM range(1000000000000) ORDER BY hash(range)",
]

HARMLESS = [
    "SELECT regexp_matches(repeat('a', 100000), '(a*)*b') AS x",
    "SELECT TIMESTAMP 'infinity' AS x, DATE '200000-01-01' AS y, [TIMESTAMPTZ 'infinity'] AS z",
    "SELECT 170141183460469231731687303715884105727::HUGEINT AS x",
    "SHOW ALL TABLES",
    "FROM information_schema.tables",
    "EXPLAIN SELECT * FROM readings, latest, series",
    "EXPLAIN (FORMAT JSON) SELECT * FROM readings WHERE device = 'pump-0'",
    "DESCRIBE readings",
    "SUMMARIZE latest",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("serve"), limits=QUICK) as made:
        yield made


@pytest.fixture
def ask(server: Server) -> Iterator[Any]:
    """Asks, and looks whether an answer tells where something is; no worker dies of what is asked."""

    def asked(sql: str) -> tuple[int, str]:
        lake = server.data / "lake"
        status, body, _ = server.ask(
            "POST", "/api/v1/sql", sql.replace("{lake}", str(lake)).encode(), Content_Type="text/plain"
        )  # fmt: skip
        said = body.decode()
        if "{lake}" not in sql:  # what one has said oneself may come back
            assert str(server.data) not in said
        for secret in ("headrace-query-", str(Path.home() / ".duckdb"), TOKEN):
            assert secret not in said
        return status, said

    yield asked
    assert server.sql("SELECT 1 AS one") == (200, [{"one": 1}])


def both(server: Server) -> list[int]:
    """The workers; one that was ended with its question before is replaced in a moment."""
    wait_until(lambda: len(children(server.process.pid)) == 2, 60, "two workers are there")
    return children(server.process.pid)


@pytest.mark.parametrize("sql", REFUSED)
def test_what_reaches_for_more_than_the_lake_is_refused(server: Server, ask: Any, sql: str) -> None:
    """With a reason, no file is written, and no worker dies of it."""
    workers = both(server)
    status, said = ask(sql)
    assert (status, bool(json.loads(said)["message"])) == (400, True), said
    assert not list(server.data.rglob("stolen*"))
    assert children(server.process.pid) == workers


@pytest.mark.parametrize("sql", ENDED)
def test_what_takes_too_much_is_ended(ask: Any, sql: str) -> None:
    """By time, memory or rows."""
    status, said = ask(sql)
    assert status == 422, said


@pytest.mark.parametrize("sql", HARMLESS)
def test_what_looks_bad_and_is_not_is_answered(server: Server, ask: Any, sql: str) -> None:
    """Nothing in it says where on the server something is."""
    workers = both(server)
    assert ask(sql)[0] == 200
    assert children(server.process.pid) == workers


@pytest.mark.parametrize(
    "body",
    [
        b'{"sql": "SELECT 1", "params": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"sql": "SELECT 1", "params": ' + b'{"x":' * 5_000,
        b'{"sql": "SELECT $x", "params": {"x": [' + b"1," * 300_000 + b"1]}}",
        b'{"sql": "SELECT $x", "params": {"x": 1e999}}',
        b'{"sql": "SELECT \\u0000"}',
        b'{"sql": "SELECT \\ud800"}',
    ],
)
def test_a_body_that_is_made_to_hurt_is_refused(server: Server, ask: Any, body: bytes) -> None:
    """Before a worker has seen it, or by one that goes on."""
    workers = both(server)
    status, said, _ = server.ask("POST", "/api/v1/sql", body, Content_Type="application/json")
    assert status == 400, said
    assert children(server.process.pid) == workers


def test_a_token_in_an_address_is_none_and_is_not_logged(server: Server) -> None:
    """Addresses stand in logs and histories, so nobody shall get used to it."""
    for path in (f"/api/v1/devices?token={TOKEN}", f"/api/v1/devices?access_token={TOKEN}"):
        assert server.ask("GET", path, Authorization="")[0] == 401
        assert server.ask("GET", path)[0] == 400
    assert TOKEN not in (server.data / "serve.log").read_text(encoding="utf-8")


def test_many_questions_at_once_are_all_answered(server: Server) -> None:
    """By two workers, one after the other."""
    with ThreadPoolExecutor(30) as pool:
        found = list(pool.map(lambda n: server.sql(f"SELECT {n} AS n"), range(60)))
    assert found == [(200, [{"n": n}]) for n in range(60)]


def test_connections_that_say_nothing_keep_nobody_out(server: Server) -> None:
    """Nor do those that stop in the middle of a header."""
    with ExitStack() as open_:
        for number in range(120):
            idle = open_.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            idle.sendall(b"POST /api/v1/sql HTTP/1.1\r\nHost: x\r\nX-Slow: "[: number % 40])
        assert server.sql("SELECT 1 AS one") == (200, [{"one": 1}])


def test_a_body_that_does_not_come_is_not_waited_for(server: Server) -> None:
    """408, also where a byte comes now and then."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        head = (
            f"Authorization: Bearer {TOKEN}\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n"
        )
        client.sendall(f"POST /api/v1/sql HTTP/1.1\r\nHost: x\r\n{head}\r\nSELECT".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_who_takes_nothing_of_an_answer_loses_it_and_not_others_theirs(server: Server) -> None:
    """A worker is free again, the connection is given up."""
    sql = "SELECT repeat('x', 900) AS x FROM range(90000)"  # 80 MB, which no socket buffer holds
    cut = 'headrace_serve_requests_total{status="500"}'
    before, workers = server.metric(cut), both(server)
    with ExitStack() as open_:
        for _ in workers:
            slow = open_.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            head = f"Authorization: Bearer {TOKEN}\r\nContent-Type: text/plain\r\n"
            slow.sendall(
                f"POST /api/v1/sql HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(sql)}\r\n\r\n{sql}".encode()
            )
        wait_until(lambda: server.metric(cut) == before + 2, 60, "both answers were cut off")
        assert server.sql("SELECT 1 AS one") == (200, [{"one": 1}])
        assert len(both(server)) == len(workers)
        wait_until(lambda: not connections(server), 60, "both connections are gone")


def connections(server: Server) -> list[str]:
    """Connections of the server that have bytes to send which nobody takes."""
    lines = Path(f"/proc/{server.process.pid}/net/tcp").read_text(encoding="ascii").splitlines()
    local = f"0100007F:{server.port:04X}"
    return [line for line in lines if line.split()[1] == local and line.split()[4][:8] != "0" * 8]


def test_what_is_wrong_with_the_lake_is_for_the_log(server: Server, ask: Any) -> None:
    """The last of this server: a damaged file's path is nothing for who asks."""
    (landed, *_) = (server.data / "lake" / "landing").rglob("*.parquet")
    landed.write_bytes(b"PAR1 not any more PAR1")
    for sql in ("SELECT * FROM readings", "SELECT count(*) FROM readings"):
        status, said = ask(sql)
        assert status == 500, said
        assert landed.name in (server.data / "serve.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:{port}", "Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 400),
        ({"Host": "127.0.0.1.evil.example"}, 400),
    ],
)
def test_a_page_in_a_browser_of_this_machine_cannot_ask(
    open_server: Server, headers: dict[str, str], status: int
) -> None:
    """Without tokens the machine's own programs may, and no site that somebody on it visits."""
    given = {name: value.format(port=open_server.port) for name, value in headers.items()}
    found, _, answer = open_server.ask(
        "POST", "/api/v1/sql", "SELECT 1", Content_Type="text/plain", Authorization="", **given
    )
    assert found == status
    assert "access-control-allow-origin" not in answer


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("open"), has_tokens=False) as made:
        yield made
