"""One group, one transaction."""

import sqlite3

import pytest

from gateway.consumer import Derived, Outcome, Rejected
from gateway.ingest.inbox import Submission
from gateway.journal import JournalWriter
from headrace.errors import StorageFull
from headrace.journal import JournalReader
from headrace.limits.sizes import MIB
from tests.batches import payload, rows

STREAM = "0123456789abcdef"


def all_rows(path):
    with JournalReader(path) as reader:
        return reader.read(0, max_rows=10**9, max_bytes=10**9)


def test_a_batch_is_in_the_file_as_it_was_received(open_journal, arrive):
    """The journal keeps raw payloads."""
    writer = open_journal()
    sent = payload(STREAM, 1, 10)
    committed = writer.commit([arrive("pump-1", sent)], [], [])
    (row,) = all_rows(writer.path)
    assert (row.offset, row.first_seq, row.last_seq, row.payload) == (1, 1, 10, sent)
    assert committed.acks == {("pump-1", STREAM): [(1, 10)]}


def test_a_repeated_batch_is_acknowledged_and_not_written_again(open_journal, arrive):
    """At least once on the wire, once in the journal, also over a restart."""
    writer = open_journal()
    writer.commit([arrive("pump-1", payload(STREAM, 1, 10))], [], [])
    writer.close()
    writer = open_journal()
    committed = writer.commit([arrive("pump-1", payload(STREAM, 1, 10))], [], [])
    assert committed.acks == {("pump-1", STREAM): [(1, 10)]}
    assert committed.duplicates == 10
    assert committed.entries == []
    assert len(all_rows(writer.path)) == 1


def test_of_an_overlapping_batch_only_the_new_readings_are_written(open_journal, arrive):
    """A resend with other borders: each row's payload is exactly its range."""
    writer = open_journal()
    writer.commit([arrive("pump-1", payload(STREAM, 4, 3))], [], [])
    committed = writer.commit([arrive("pump-1", payload(STREAM, 1, 10))], [], [])
    assert [(entry.first_seq, entry.rows.num_rows) for entry in committed.entries] == [
        (1, 3),
        (7, 4),
    ]
    assert committed.entries[1].rows.column("value").to_pylist() == [7.0, 8.0, 9.0, 10.0]
    assert [(row.first_seq, row.last_seq) for row in all_rows(writer.path)] == [
        (4, 6),
        (1, 3),
        (7, 10),
    ]


def test_readings_without_a_name_get_one_that_says_so(open_journal, arrive):
    """SenML without stream and seq is numbered by the gateway in a gw- stream, without acks."""
    writer = open_journal()
    pack = b'[{"n":"level","v":1.5},{"n":"level","v":2.5}]'
    committed = writer.commit([arrive("mcu", pack, "senml-json")] * 2, [], [])
    assert [(entry.stream[:3], entry.first_seq) for entry in committed.entries] == [
        ("gw-", 1),
        ("gw-", 3),
    ]
    assert committed.acks == {}


def test_results_state_and_cursor_are_committed_together(open_journal, arrive):
    """What a consumer made of batches is in the journal exactly once."""
    writer = open_journal()
    writer.register("inference", required=True)
    outcome = Outcome([Derived("pump-1", rows(2, name="model/pump/score"))], {"key": b"value"})
    writer.commit([], [], [Submission("inference", 7, True, outcome)])
    assert writer.register("inference", required=True) == (7, {"key": b"value"})
    (row,) = all_rows(writer.path)
    assert (row.device, row.first_seq, row.rows) == ("pump-1", 1, 2)


def test_state_is_deleted_by_none(open_journal):
    """A resolved alert leaves no key behind."""
    writer = open_journal()
    writer.commit([], [], [Submission("rules", 1, True, Outcome(state={"a": b"1", "b": b"2"}))])
    writer.commit([], [], [Submission("rules", 2, True, Outcome(state={"a": None}))])
    assert writer.register("rules", required=True) == (2, {"b": b"2"})


def test_refused_and_rejected_payloads_are_kept(open_journal, arrive):
    """Quarantine holds what devices sent wrongly and what sinks will not take."""
    writer = open_journal()
    (entry,) = writer.commit([arrive("pump-1", payload(STREAM, 1, 3))], [], []).entries
    outcome = Outcome(rejected=[Rejected(entry, "not_finite", "3 NaN", rows(1))])
    refused = arrive("pump-1", b"rubbish")
    writer.commit([], [refused], [Submission("sink/influx", 1, False, outcome)])
    db = sqlite3.connect(writer.path)
    assert db.execute("SELECT topic, reason FROM quarantine ORDER BY id").fetchall() == [
        ("headrace/v1/pump-1/data/arrow", "broken_frame"),
        ("sink/influx", "not_finite"),
    ]


def test_refused_payloads_make_room_for_newer_ones_as_fast_as_they_come(
    open_journal, arrive, monkeypatch
):
    """A device that sends nothing sound for a week fills a bounded part of the file; damage stays known."""
    monkeypatch.setattr("gateway.journal.quarantine_bound.QUARANTINE_MAX_ROWS", 1_000)
    writer = open_journal()
    broken = arrive("mcu", b"{}", "senml-json")
    damaged = "INSERT INTO quarantine VALUES (1, 0, 'journal:7', '', '', 'damaged', '', '')"
    writer._db.execute(damaged)
    for _ in range(20):
        writer.commit([], [broken] * 400, [])
        (count,) = writer._db.execute("SELECT count(*) FROM quarantine").fetchone()
        assert count <= 1_000 + 400 + 1
    writer.tidy()
    rows = writer._db.execute("SELECT id, reason FROM quarantine ORDER BY id").fetchall()
    assert rows[0] == (1, "damaged")
    assert len(rows) == 1 + 900
    assert rows[-1][0] == 20 * 400 + 1
    assert writer._metrics.value("trimmed_payloads") == 20 * 400 - 900


def test_the_quarantine_is_bounded_by_what_it_takes_with_all_that_is_said(
    open_journal, arrive, monkeypatch
):
    """Of a payload of two bytes the reason is the larger part."""
    monkeypatch.setattr("gateway.journal.quarantine_bound.QUARANTINE_MAX_BYTES", 50_000)
    writer = open_journal()
    for _ in range(10):
        writer.commit([], [arrive("mcu", b"{}", "senml-json")] * 200, [])
    writer.tidy()
    (size,) = writer._db.execute(
        "SELECT sum(length(topic) + length(detail) + length(payload)) FROM quarantine"
    ).fetchone()
    assert 30_000 < size <= 45_000
    writer._db.execute("DELETE FROM quarantine")  # as a command beside the gateway may
    writer.commit([], [arrive("mcu", b"{}", "senml-json")] * 50, [])
    writer.tidy()
    assert writer._db.execute("SELECT count(*) FROM quarantine").fetchone() == (50,)


def test_a_failed_commit_changes_neither_file_nor_memory(open_journal, arrive, monkeypatch):
    """The same work can be tried again and is not taken for a duplicate."""
    writer = open_journal()
    writer.commit([arrive("pump-1", payload(STREAM, 1, 2))], [], [])
    writer._db.execute("PRAGMA max_page_count = 1")  # the real SQLITE_FULL, without filling a disk
    big = arrive("pump-1", payload(STREAM, 3, 9_000))
    with pytest.raises(StorageFull):
        writer.commit([big], [], [])
    writer._db.execute("PRAGMA max_page_count = 1000000")
    committed = writer.commit([big], [], [])
    assert committed.duplicates == 0
    assert [row.first_seq for row in all_rows(writer.path)] == [1, 3]


def fill(writer: JournalWriter, arrive, count: int) -> None:
    for index in range(count):
        batch = payload(STREAM, 1 + index * 9_000, 9_000)
        writer.commit([arrive("pump-1", batch)], [], [])


def test_rows_go_when_every_consumer_is_past_them(open_journal, arrive):
    """Pruning keeps what somebody still needs, and offsets go on counting."""
    writer = open_journal(hold_for=("lake",))
    writer.register("rules", required=True)
    fill(writer, arrive, 4)
    writer.commit([], [], [Submission("rules", 4, True, Outcome())])
    writer.tidy()
    assert len(all_rows(writer.path)) == 4  # the lake has not asked yet
    with JournalReader(writer.path) as reader:
        reader.move_cursor("lake", 3, required=True)
    writer.tidy()
    assert [row.offset for row in all_rows(writer.path)] == [4]
    writer.close()
    assert open_journal().head == 4


def test_over_the_budget_the_gateway_takes_nothing_until_required_consumers_move(
    open_journal, arrive
):
    """Required consumers hold the journal; the devices hold the rest."""
    writer = open_journal(max_bytes=MIB // 4)
    writer.register("lake", required=True)
    writer.register("sink/slow", required=False)
    fill(writer, arrive, 12)
    writer.tidy()
    with pytest.raises(StorageFull, match="journal stat"):
        fill(writer, arrive, 1)
    writer.commit([], [], [Submission("lake", 11, True, Outcome())])
    writer.tidy()
    writer.tidy()
    fill(writer, arrive, 1)
    assert (
        writer.head == 12
    )  # the refilled batch is a duplicate of the first: acknowledged, not stored
