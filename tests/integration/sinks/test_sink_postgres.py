"""The PostgreSQL sink against a real PostgreSQL: what it writes, once, and what it does with refusals."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from gateway.feed import Entry
from gateway.sinks.consumer import SinkConsumer
from gateway.sinks.port import Sink
from gateway.sinks.postgres import PLUGIN, PostgresSettings
from gateway.sinks.postgres.connection import Connection
from headrace.errors import SinkUnavailable
from headrace.metrics import Metrics
from tests.gateway_entries import SECOND, START, entry, rows, series
from tests.servers.link import Link
from tests.servers.postgres import Postgres, postgres

README = Path(PLUGIN.build.__code__.co_filename).parent / "README.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


Open = Callable[..., Sink]


@pytest.fixture
def open_sink(server: Postgres) -> Iterator[Open]:
    opened: list[Sink] = []

    def open_(**settings: object) -> Sink:
        settings = {"conninfo": server.conninfo, "timeout_s": 5.0, **settings}
        opened.append(PLUGIN.build(PostgresSettings(**settings), site="plant a"))  # type: ignore[arg-type]
        return opened[-1]

    yield open_
    for sink in opened:
        sink.close()
    server.sql("DROP TABLE IF EXISTS readings, readings_written")


def test_every_column_arrives_as_it_was(server: Postgres, open_sink: Open) -> None:
    """Also texts that a text format would have to escape, infinities, units and no units."""
    odd = 'tab\t, "quote", \\N, line\nü€'
    batch = rows(
        ["flow", odd, "flow", "e"], [START, START + 1, 0, 1], [0.1 + 0.2, odd, float("-inf"), ""]
    )
    given = replace(
        entry("pump-1", batch, received_at=START + 5), units={"flow": "m3/s"}, first_seq=7
    )
    assert open_sink().write([given, series("pump-2", "x", [1.0])]) == []
    found = server.sql(
        "SELECT site, device, name, extract(epoch FROM time), value, text, unit, stream, seq, "
        "extract(epoch FROM received) FROM readings WHERE device = 'pump-1' ORDER BY seq"
    )
    at, stream = START / SECOND, "0123456789abcdef"
    assert [tuple(float(each) if hasattr(each, "is_nan") else each for each in row) for row in found] == [
        ("plant a", "pump-1", "flow", at, 0.1 + 0.2, None, "m3/s", stream, 7, at + 5e-6),
        ("plant a", "pump-1", odd, at + 1e-6, None, odd, None, stream, 8, at + 5e-6),
        ("plant a", "pump-1", "flow", 0.0, float("-inf"), None, "m3/s", stream, 9, at + 5e-6),
        ("plant a", "pump-1", "e", 1e-6, None, "", None, stream, 10, at + 5e-6),
    ]  # fmt: skip


def test_readings_are_there_once_however_they_are_cut_into_batches(
    server: Postgres, open_sink: Open
) -> None:
    """A second gateway, or a journal that was filled again, may cut a stream otherwise."""
    values = [float(at) for at in range(10)]
    first, second = open_sink(), open_sink()
    first.write([series("d", "x", values[:4]), series("d", "x", values[6:8], first_seq=7)])
    second.write([series("d", "x", values), series("d", "x", values[2:5], first_seq=3)])
    first.write([series("d", "x", values)])
    found = server.sql("SELECT value, seq FROM readings ORDER BY seq")
    assert found == [(float(at), at + 1) for at in range(10)]
    assert server.sql("SELECT seqs::text FROM readings_written") == [("{[1,11)}",)]


def test_rows_that_break_a_constraint_of_the_users_are_found_one_by_one(
    server: Postgres, open_sink: Open
) -> None:
    """Each bad reading goes to quarantine, each good one is there; and so again after a kill."""
    sink = open_sink()
    sink.write([series("c", "x", [1.0])])
    server.sql("ALTER TABLE readings ADD CHECK (value < 1000)")
    values = [float(at) for at in range(500)]
    for at in (0, 17, 18, 499):
        values[at] += 10_000
    batches = [series("a", "x", [2.0]), series("b", "x", values)]
    for _ in range(2):
        (rejected,) = sink.write(batches)
        assert (rejected.entry, rejected.reason) == (batches[1], "refused")
        assert "violates check constraint" in rejected.detail
        assert rejected.rows is not None
        assert rejected.rows.column(2).to_pylist() == [10_000.0, 10_017.0, 10_018.0, 10_499.0]
        assert server.count() == 498


def test_a_name_with_a_nul_character_is_rejected_alone(server: Postgres, open_sink: Open) -> None:
    """PostgreSQL has no way to hold it."""
    batch = entry("d", rows(["ok", "n\0"], [START] * 2, [1.0, 2.0]))
    (rejected,) = open_sink().write([batch])
    assert rejected.reason == "bad_text"
    assert server.sql("SELECT name FROM readings") == [("ok",)]


def test_many_small_batches_go_in_one_transaction(server: Postgres, open_sink: Open) -> None:
    """One reading a message must not be one round trip a message."""
    batches = [series("d", f"s{at % 7}", [float(at)], first_seq=at + 1) for at in range(5_000)]
    started = time.monotonic()
    empty = replace(batches[0], rows=batches[0].rows.slice(0, 0))  # a damaged row of the journal
    assert open_sink().write([empty, *batches, empty]) == []
    assert time.monotonic() - started < 20
    assert server.count() == 5_000
    assert server.sql("SELECT count(DISTINCT xmin::text) FROM readings") == [(1,)]


def test_tables_may_be_made_by_hand(server: Postgres, open_sink: Open) -> None:
    """With the statements of README.md, by a user who may not create any."""
    refused = open_sink(create=False)
    with pytest.raises(SinkUnavailable, match=r"42P01.*set create = true"):
        refused.write([series("d", "x", [1.0])])
    statements = re.findall(r"```sql\n(CREATE.*?)```", README.read_text(), re.DOTALL)
    server.sql(statements[0])
    server.sql(
        "CREATE USER writer; REVOKE CREATE ON SCHEMA public FROM PUBLIC; "
        "GRANT SELECT, INSERT, UPDATE ON readings, readings_written TO writer"
    )
    conninfo = f"host=127.0.0.1 port={server.port} dbname=headrace user=writer"
    assert open_sink(conninfo=conninfo).write([series("d", "x", [1.0])]) == []
    assert server.count() == 1
    server.sql("DROP OWNED BY writer; DROP USER writer")


def test_a_doctor_is_told_whether_the_tables_can_be_used(server: Postgres, open_sink: Open) -> None:
    """Without a reading written."""
    assert open_sink().probe() == f"PostgreSQL {server.major} with the tables"
    assert server.count() == server.count("readings_written") == 0
    with pytest.raises(SinkUnavailable, match="does not exist"):
        open_sink(conninfo=f"{server.conninfo} user=nobody").probe()


def test_a_table_in_a_schema_of_its_own(server: Postgres, open_sink: Open) -> None:
    """``table = "iot.readings"``; the schema is the user's to make."""
    sink = open_sink(table="iot.readings")
    with pytest.raises(SinkUnavailable, match="create the schema"):
        sink.write([series("d", "x", [1.0])])
    server.sql("CREATE SCHEMA iot")
    for _ in range(2):
        assert sink.write([series("d", "x", [1.0])]) == []
    assert server.count("iot.readings") == 1
    server.sql("DROP SCHEMA iot CASCADE")


def test_a_server_that_stops_answering_keeps_the_batch_and_frees_the_sink(tmp_path: Path) -> None:
    """The network takes everything and gives nothing back; libpq would wait for ever."""
    with postgres(tmp_path / "server") as server:
        sink = PLUGIN.build(PostgresSettings(conninfo=server.conninfo, timeout_s=1.0), site="s")
        sink.write([series("d", "x", [1.0])])
        server.freeze()
        started = time.monotonic()
        with pytest.raises(SinkUnavailable):
            sink.write([series("d", "x", [2.0], first_seq=2)])
        assert time.monotonic() - started < 10
    sink.close()


def test_a_line_that_is_slow_and_never_silent_is_no_reason_to_give_up(
    server: Postgres, open_sink: Open
) -> None:
    """One delivery takes several times the timeout: a dozen answers, and a COPY of many pieces.

    It was tried again for ever, "server closed the connection unexpectedly": a busy machine was enough.
    """
    link = Link(server.port)
    conninfo = f"host=127.0.0.1 port={link.port} user=postgres dbname=headrace"
    sink = open_sink(conninfo=conninfo, timeout_s=1.0)
    sink.write([series("d", "x", [0.0])])
    values = [float(at) for at in range(5_000)]  # half a megabyte, so eight pieces of the link's
    link.slow(0.3)
    started = time.monotonic()
    assert sink.write([series("d", "x", values, first_seq=2)]) == []
    link.close()
    assert time.monotonic() - started > 3
    assert server.count() == 5_001


def test_the_server_lets_go_of_a_gateway_whose_line_has_died(server: Postgres) -> None:
    """A COPY that nobody goes on with holds the ledger's rows; Linux would look after two hours."""
    connection = Connection(PostgresSettings(conninfo=server.conninfo))
    with connection.transaction() as cursor:
        names = ("idle", "interval", "count")
        kept = [cursor.execute(f"SHOW tcp_keepalives_{name}").fetchone() for name in names]
    connection.close()
    assert kept == [("30",), ("10",), ("3",)]
    server.sql("DROP TABLE readings, readings_written")


def test_a_lock_that_somebody_holds_ends_the_delivery_in_time(
    server: Postgres, open_sink: Open
) -> None:
    """statement_timeout: a forgotten transaction of a person must not hang the sink."""
    sink = open_sink(timeout_s=1.0)
    sink.write([series("d", "x", [1.0])])
    with psycopg.connect(server.conninfo) as person:
        person.execute("LOCK TABLE readings")
        with pytest.raises(SinkUnavailable, match="57014"):
            sink.write([series("d", "x", [2.0], first_seq=2)])
    assert sink.write([series("d", "x", [2.0], first_seq=2)]) == []
    assert server.count() == 2


def test_a_password_is_read_from_its_file_and_a_wrong_one_keeps_the_batch(tmp_path: Path) -> None:
    """People mend passwords; nothing is lost until they do."""
    password = tmp_path / "password"
    password.write_text("wrong\n")
    with postgres(tmp_path / "server", auth="scram-sha-256") as server:
        settings = PostgresSettings(conninfo=server.conninfo, password_file=password)
        sink = PLUGIN.build(settings, site="s")
        with pytest.raises(SinkUnavailable, match="password authentication failed"):
            sink.write([series("d", "x", [1.0])])
        password.write_text("secret\n")
        assert sink.write([series("d", "x", [1.0])]) == []
        sink.close()


def test_many_streams_in_order_of_arrival_do_not_deadlock_two_gateways(
    server: Postgres, open_sink: Open
) -> None:
    """Rows of the ledger are locked in one order, whatever the order of the batches."""
    batches: list[Entry] = [series(f"d{at}", "x", [1.0] * 50) for at in range(200)]
    sinks = [open_sink(), open_sink()]
    with ThreadPoolExecutor(2) as pool:
        results = list(
            pool.map(lambda sink, given: sink.write(given), sinks, [batches, batches[::-1]])
        )
    assert results == [[], []]
    assert server.count() == 10_000


def test_odd_times_are_held_back_unless_they_are_wanted(server: Postgres, open_sink: Open) -> None:
    """The newest reading stays one of today; the held ones are counted, and the ledger has a hole."""
    times = [1, START, START + 1, 4_070_908_800 * SECOND, START + 2]
    odd = entry("mcu", rows(["x"] * 5, times, [1.0, 2.0, 3.0, 4.0, 5.0]), received_at=START)
    metrics = Metrics("gateway")
    newest = "SELECT count(*), extract(epoch FROM max(time))::bigint FROM readings"
    ledger = "SELECT seqs::text FROM readings_written"

    for hold, found in ((True, (3, START // SECOND)), (False, (5, 4_070_908_800))):
        sink = SinkConsumer("pg", open_sink(), True, metrics, hold_odd=hold)
        sink.committed(sink.step([odd], START))
        sink.close()
        assert server.sql(newest) == [found]
        assert server.sql(ledger) == [("{[2,4),[5,6)}" if hold else "{[1,6)}",)]
    verdicts = [metrics.value("sink_readings", sink="pg", verdict=v) for v in ("hold", "accept")]
    assert verdicts == [2, 8]
