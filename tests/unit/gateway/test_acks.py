"""When a device is told that its readings are safe."""

from __future__ import annotations

import pytest

from gateway import acks as acks_
from gateway.acks import CURSOR, AckAfterLake, forget_acks
from gateway.feed import Feed
from gateway.ingest.arrival import Arrival
from gateway.ingest.group import GroupReader
from gateway.ingest.inbox import Inbox
from gateway.ingest.limits import Limits
from gateway.pipeline import Pipeline
from gateway.worker import IngestWorker
from headrace.journal import LAKE, REGISTERED, JournalReader
from headrace.metrics import Metrics
from headrace.topics import Topics
from tests.batches import payload
from tests.outbox import Outbox
from tests.servers import wait_until

STREAM = "0123456789abcdef"


class Site:
    """A journal with its acks, as the ingest thread uses both."""

    def __init__(self, open_journal, arrive) -> None:
        self.open_journal = open_journal
        self.arrive = arrive
        self.writer = open_journal()
        self.acks = AckAfterLake(self.writer.path)

    def sends(self, first: int, count: int, device: str = "pump") -> list:
        """One batch; what is acknowledged at once."""
        batch = self.arrive(device, payload(STREAM, first, count))
        committed = self.writer.commit([batch], [], [])
        return list(self.acks.now(committed.acks, committed.entries).values())

    def registers(self, offset: int) -> list:
        """cloud-sync's cursors move; what is acknowledged then."""
        with JournalReader(self.writer.path) as reader:
            reader.move_cursor(LAKE, offset, required=True)
            reader.move_cursor(REGISTERED, offset, required=False)
        found = list(self.acks.later().values())
        self.acks.done()
        return found

    def restart(self) -> None:
        self.acks.close()
        self.writer.close()
        self.writer = self.open_journal()
        self.acks = AckAfterLake(self.writer.path)


@pytest.fixture
def site(open_journal, arrive):
    made = Site(open_journal, arrive)
    yield made
    made.acks.close()


def test_a_batch_is_acknowledged_when_it_is_registered(site):
    """Not at its commit, and only once."""
    assert site.sends(1, 10) == []
    assert site.sends(11, 10) == []
    assert site.registers(0) == []
    with JournalReader(site.writer.path) as reader:
        reader.move_cursor(LAKE, 2, required=True)
    assert list(site.acks.later().values()) == [], "landed is not registered"
    assert site.registers(1) == [[(1, 10)]]
    assert site.registers(2) == [[(11, 20)]]
    assert site.registers(2) == []


def test_of_a_batch_that_comes_again_the_part_that_is_registered_is_acknowledged(site):
    """An ack was lost: the device asks again, maybe with other borders."""
    site.sends(1, 10)
    site.sends(11, 10)
    site.registers(1)
    assert site.sends(1, 10) == [[(1, 10)]]
    assert site.sends(5, 12) == [[(5, 10)]]
    assert site.sends(11, 10) == []
    site.registers(2)
    assert site.sends(1, 20) == [[(1, 20)]]


def test_what_was_registered_while_the_gateway_was_away_is_acknowledged_after_its_start(site):
    """Nothing but the journal remembers whom to tell."""
    site.sends(1, 10)
    site.sends(11, 10)
    site.restart()
    assert site.sends(1, 20) == []
    assert site.registers(1) == [[(1, 10)]]
    site.restart()
    assert site.sends(1, 20) == [[(1, 10)]]
    assert site.registers(2) == [[(11, 20)]]


def test_rows_stay_in_the_journal_until_their_devices_were_told(site):
    """Otherwise a kill between registration and ack would leave a device with batches for ever."""
    site.sends(1, 10)
    with JournalReader(site.writer.path) as reader:
        reader.move_cursor(LAKE, 1, required=True)
        reader.move_cursor(REGISTERED, 1, required=False)
        site.writer.tidy()
        assert len(reader.identities(0, max_batches=9)) == 1
        assert site.registers(1) == [[(1, 10)]]
        site.writer.tidy()
        assert reader.identities(0, max_batches=9) == []


def test_an_ack_that_could_not_be_sent_is_said_again(site):
    """Only ``done`` moves the cursor."""
    site.sends(1, 10)
    with JournalReader(site.writer.path) as reader:
        reader.move_cursor(REGISTERED, 1, required=False)
    assert list(site.acks.later().values()) == [[(1, 10)]]
    assert list(site.acks.later().values()) == [[(1, 10)]]


def test_a_long_backlog_is_acknowledged_step_by_step(site, monkeypatch):
    """What is in memory at once is bounded."""
    for number in range(7):
        site.sends(number * 10 + 1, 10)
    monkeypatch.setattr(acks_, "ACKS_STEP_BATCHES", 3)
    assert site.registers(7) == [[(1, 10), (11, 20), (21, 30)]]
    assert site.registers(7) == [[(31, 40), (41, 50), (51, 60)]]
    assert site.registers(7) == [[(61, 70)]]


def test_nobody_is_told_about_numbers_that_the_gateway_gave(site):
    """No device knows them."""
    pack = site.arrive("mcu", b'[{"n":"level","v":1.5}]', "senml-json")
    committed = site.writer.commit([pack], [], [])
    site.acks.now(committed.acks, committed.entries)
    assert site.registers(1) == []


def test_back_to_acks_after_the_journal_nothing_is_held_for_them(site):
    """A cursor that nobody moves would hold the journal for ever."""
    site.sends(1, 10)
    forget_acks(site.writer.path)
    with JournalReader(site.writer.path) as reader:
        assert CURSOR not in [name for name, _, _ in reader.cursors()]


def test_a_journal_that_is_full_of_rows_that_wait_for_their_acks_empties(open_journal, clock):
    """The worker tells devices also while it cannot commit, or nothing would ever be freed."""
    journal = open_journal(max_bytes=400_000, hold_for=("lake",))
    inbox, outbox, metrics = Inbox(), Outbox(), Metrics("gateway")
    pipeline = Pipeline(
        reader=GroupReader(Limits(), metrics, clock.monotonic), journal=journal,
        acks=AckAfterLake(journal.path), feed=Feed(journal.path), broker=outbox, topics=Topics(),
        metrics=metrics,
    )  # fmt: skip
    worker = IngestWorker(inbox, pipeline, journal)
    worker.start()
    try:
        sent = 0
        while not worker.stalled:
            inbox.put([Arrival("pump", "arrow", payload(STREAM, sent * 5_000 + 1, 5_000), 1)])
            sent += 1
            wait_until(lambda: inbox.is_empty, 10, "it is taken")
            wait_until(lambda: worker.stalled or journal.head == sent, 10, "it is committed")  # noqa: B023
        assert outbox.published == []
        with JournalReader(journal.path) as reader:
            reader.move_cursor(LAKE, journal.head, required=True)
            assert not outbox.published, "it has landed, and is not registered"
            reader.move_cursor(REGISTERED, journal.head, required=False)
        wait_until(lambda: journal.head == sent and not worker.stalled, 20, "it goes on")
        assert outbox.published
    finally:
        worker.stop()
