"""A request that comes again under its Idempotency-Key."""

from __future__ import annotations

import pytest

from gateway.ingest.arrival import Arrival
from gateway.ingest.gather import may_gather
from gateway.ingest.reading import read
from headrace.journal import JournalReader
from headrace.limits.http import KEY_REMEMBERED_S
from tests.batches import payload

PACK = b'[{"n":"level","v":1},{"n":"level","v":2,"t":1}]'
KEY = b"0123456789abcdef"


@pytest.fixture
def request_(clock):
    """What ``commit`` takes of an HTTP request."""

    def make(device="pump-1", body=PACK, key=KEY, format_name="senml-json"):
        return read(Arrival(device, format_name, body, clock.now_us(), key=key, answered=False))

    return make


def rows_of(path):
    with JournalReader(path) as reader:
        return reader.read(0, max_rows=10**9, max_bytes=10**9)


def test_a_repeated_request_is_committed_once(open_journal, request_):
    """In one group, in the next, and after a restart."""
    writer = open_journal()
    first = writer.commit([request_(), request_()], [], [])
    assert first.duplicates == 2
    assert writer.commit([request_()], [], []).entries == []
    writer.close()
    writer = open_journal()
    assert writer.commit([request_()], [], []).duplicates == 2
    assert len(rows_of(writer.path)) == 1
    assert writer.keys.count == 1


def test_readings_under_keys_share_one_stream_without_holes(open_journal, request_):
    """So a million keys are one range, and no gap is reported."""
    writer = open_journal()
    for number in range(5):
        writer.commit([request_(key=bytes([number]))], [], [])
    rows = rows_of(writer.path)
    assert len({row.stream for row in rows}) == 1
    assert not rows[0].stream.startswith("gw-")
    assert [(row.first_seq, row.last_seq) for row in rows] == [
        (1, 2),
        (3, 4),
        (5, 6),
        (7, 8),
        (9, 10),
    ]
    assert writer.seen.holes("pump-1") == {}


def test_a_key_belongs_to_one_device(open_journal, request_):
    """Another device's request under the same key is another request."""
    writer = open_journal()
    writer.commit([request_(), request_(device="pump-2")], [], [])
    assert [row.device for row in rows_of(writer.path)] == ["pump-1", "pump-2"]


def test_another_payload_under_a_key_is_refused_and_kept(open_journal, request_):
    """Taking it for a repetition would lose it."""
    writer = open_journal()
    writer.commit([request_()], [], [])
    committed = writer.commit([request_(body=b'[{"n":"level","v":3}]')], [], [])
    assert [refused.error.reason for refused in committed.refused] == ["bad_identity"]
    with JournalReader(writer.path) as reader:
        assert reader.quarantine_reasons() == {"bad_identity": 1}


def test_a_refused_request_may_come_again_under_its_key(open_journal, request_):
    """Only what is on disk is remembered."""
    writer = open_journal()
    writer.commit([], [request_(body=b"[]")], [])
    assert len(writer.commit([request_()], [], []).entries) == 1


def test_a_payload_with_an_identity_needs_no_key(open_journal, request_):
    """Its stream and seq say more: a repetition may have other borders."""
    writer = open_journal()
    body = payload("00000000000000aa", 1, 3)
    writer.commit([request_(body=body, format_name="arrow")], [], [])
    assert writer.keys.count == 0
    assert rows_of(writer.path)[0].stream == "00000000000000aa"


def test_keys_are_forgotten_after_a_day_of_work_whatever_the_clock_says(
    open_journal, request_, clock
):
    """A wall clock that is set forward by a year must not double anything."""
    writer = open_journal()
    writer.commit([request_()], [], [])
    clock.step_wall(365 * 86_400)
    clock.advance(KEY_REMEMBERED_S - 10)
    writer.tidy()
    assert writer.commit([request_()], [], []).entries == []
    clock.advance(20)
    writer.tidy()
    assert writer.keys.count == 0
    assert len(writer.commit([request_()], [], []).entries) == 1


def test_the_time_that_a_gateway_is_off_does_not_count(open_journal, request_, clock):
    """Its clock may be anything after that; so it remembers longer, never shorter."""
    writer = open_journal()
    writer.commit([request_()], [], [])
    writer.close()
    clock.advance(10 * KEY_REMEMBERED_S)
    writer = open_journal()
    writer.tidy()
    assert writer.commit([request_()], [], []).entries == []


def test_small_payloads_with_keys_are_not_put_together(clock):
    """Each has to be told from its repetitions."""
    arrival = Arrival("pump-1", "senml-json", PACK, clock.now_us(), key=KEY)
    assert not may_gather(arrival)
