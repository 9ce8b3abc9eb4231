"""When a device is told that its readings are safe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloud_sync.config import CloudSync
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
from headrace.journal.lost import encode, of
from headrace.lake.config import Journal, Lake
from headrace.metrics import Metrics
from headrace.topics import Topics
from tests.batches import payload
from tests.damage import flip, place_of, ruin_page, settle
from tests.lakes import pipeline
from tests.outbox import Outbox
from tests.servers import wait_until
from tests.sites import names

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


def test_a_registrar_that_is_away_does_not_hold_rows_that_no_ack_waits_for(site):
    """With acks after the journal, what has landed may go, registered or not."""
    site.sends(1, 10)
    site.sends(11, 10)
    forget_acks(site.writer.path)
    with JournalReader(site.writer.path) as reader:
        reader.move_cursor(REGISTERED, 1, required=False)
        reader.move_cursor(LAKE, 2, required=True)
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


def lands_without(site: Site, *offsets: int) -> None:
    """What cloud-sync writes down of rows that it could not read."""
    with JournalReader(site.writer.path) as reader:
        for row in reader.read(0, max_rows=10**6, max_bytes=10**9):
            if row.offset in offsets:
                (lost,) = of([replace(row, payload=b"", damage="spoilt")])
                reader.set_state(LAKE, lost.key, encode(lost))


def test_what_the_lake_did_not_get_is_not_acknowledged_and_may_come_again(site):
    """The journal's disk has damaged a row before it landed; the device still has it."""
    for first in (1, 11, 21):
        site.sends(first, 10)
    lands_without(site, 2)
    assert site.registers(3) == [[(1, 10), (21, 30)]]
    lost = site.acks.lost()
    assert [(each.first, each.last) for each in lost] == [(11, 20)]
    assert site.sends(11, 10) == [], "not forgotten yet: a duplicate, and not to be acknowledged"
    site.writer.forget(lost)
    assert site.acks.lost() == []
    assert site.sends(11, 10) == []
    assert site.writer.head == 4, "it is taken as new"
    assert site.registers(4) == [[(11, 20)]]


def test_what_is_to_come_again_is_known_after_a_restart(site):
    """Killed between the cursor and forgetting."""
    for first in (1, 11):
        site.sends(first, 10)
    lands_without(site, 1)
    assert site.registers(2) == [[(11, 20)]]
    site.restart()
    assert site.sends(1, 10) == []
    site.writer.forget(site.acks.lost())
    site.restart()
    assert site.acks.lost() == []
    assert site.sends(1, 10) == []
    assert site.registers(3) == [[(1, 10)]]


def test_a_row_that_was_damaged_before_it_landed_reaches_the_lake_through_its_device(
    site, tmp_path
):
    """With the real cloud-sync: one byte of the journal is not what was written."""
    config = CloudSync(
        journal=Journal(path=site.writer.path), lake=Lake(uri=str(tmp_path / "lake"))
    )
    cloud = pipeline(config)
    for first in (1, 1_001, 2_001):
        site.sends(first, 1_000)
    settle(site.writer.path)
    flip(site.writer.path, place_of(site.writer.path, 2))
    cloud.land()
    cloud.register()
    assert list(site.acks.later().values()) == [[(1, 1_000), (2_001, 3_000)]]
    site.acks.done()
    site.writer.forget(site.acks.lost())
    assert [seq for _, _, seq in names(config.lake)] == [*range(1, 1_001), *range(2_001, 3_001)]

    assert site.sends(1_001, 1_000) == []
    cloud.land()
    cloud.register()
    assert list(site.acks.later().values()) == [[(1_001, 2_000)]]
    assert [seq for _, _, seq in names(config.lake)] == list(range(1, 3_001))


def test_a_page_that_cannot_be_read_does_not_stop_acks(site):
    """Rows behind it are told; nobody knows whose the ones on it were."""
    for number in range(40):
        site.sends(number * 10 + 1, 10)
    site.acks.close()
    site.writer.close()
    settle(site.writer.path)
    ruin_page(site.writer.path, place_of(site.writer.path, 20))
    site.writer = site.open_journal()
    site.acks = AckAfterLake(site.writer.path)
    told = [part for _ in range(60) for ranges in site.registers(40) for part in ranges]
    assert (1, 10) in told
    assert (391, 400) in told
    assert (191, 200) not in told


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
