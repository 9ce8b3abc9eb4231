"""The path of a batch through the gateway, in order.

    ways in ──► inbox ──► read ──► commit (dedup, journal, fsync) ──► confirm ──► hand on
                                                                     ack, nack     feed: inference,
                                                                     PUBACK        rules, sinks, console

Nobody forgets before the next one remembers: ``confirm`` stands behind ``commit``, and every line
above it can die without a trace.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gateway.acks import AckAfterJournal, Ranges
from gateway.broker.port import Broker
from gateway.feed import Feed
from gateway.ingest.arrival import Arrival
from gateway.ingest.group import GroupReader, Read
from gateway.ingest.inbox import Submission, Work
from gateway.ingest.reading import Refused
from gateway.journal import Committed, JournalWriter
from gateway.tracing.port import OFF, Trace
from headrace import wire
from headrace.logs import FirstTimes
from headrace.metrics import Metrics
from headrace.ranges import Range, RangeSet
from headrace.topics import Topics

logger = logging.getLogger(__name__)


class Pipeline:
    """Takes one group of work at a time through all steps; called by one thread."""

    def __init__(
        self,
        *,
        reader: GroupReader,
        journal: JournalWriter,
        acks: AckAfterJournal,
        feed: Feed,
        broker: Broker,
        topics: Topics,
        metrics: Metrics,
        trace: Trace = OFF,
    ) -> None:
        self._trace = trace
        self._reader = reader
        self._journal = journal
        self._acks = acks
        self._feed = feed
        self._broker = broker
        self._topics = topics
        self._metrics = metrics
        # A device that is broken sends the like for as long as it lives.
        self._refusals = FirstTimes(logger)

    def process(self, work: Work) -> None:
        """The whole path, in parts where the group decodes to more than memory should hold.

        Raises:
            StorageError: what is still in ``work`` was neither committed nor confirmed; it may be tried
                again.
        """
        while True:
            with self._trace.group(work):
                left = self._process_part(work)
            if not left:
                return
            work.arrivals, work.submissions, work.over_limit = left, [], []

    def _process_part(self, work: Work) -> list[Arrival]:
        """As much as one commit takes; what is left."""
        trace = self._trace
        with trace.step("decode"):
            read = self._reader.read(work)
        with trace.step("commit"):
            committed = self._journal.commit(read.accepted, read.refused, work.submissions)
        # Before it is told, so that what a sender sends next meets its limit at the door.
        self._reader.charge(read)
        with trace.step("confirm"):
            self._confirm(committed)
            self._release(read, work.submissions, committed)
        trace.committed(committed.entries)
        with trace.step("hand on"):
            self._feed.publish(committed.entries)
        self._count(committed)
        return read.left

    def process_submissions(self, submissions: Sequence[Submission]) -> None:
        """Results of consumers alone, for a journal that takes nothing else at present."""
        self.process(Work([], list(submissions)))

    def confirm_late(self) -> None:
        """Tell devices what they may forget by now, where that is not at the commit.

        Raises:
            StorageError: the journal cannot be read at present; the next call tells them.
        """
        self._publish_acks(self._acks.later())
        self._acks.done()
        if lost := self._acks.lost():
            self._journal.forget(lost)

    def close(self) -> None:
        """After the last group."""
        self._acks.close()

    def _publish_acks(self, acks: Ranges) -> None:
        for (device, stream), ranges in acks.items():
            for ack in wire.acks(stream, merged(ranges)):
                self._broker.publish(self._topics.ack(device), wire.encode(ack))

    def _confirm(self, committed: Committed) -> None:
        self._publish_acks(self._acks.now(committed.acks, committed.entries))
        for refused in committed.refused:
            self._nack(refused)

    def _nack(self, refused: Refused) -> None:
        error = refused.error
        self._metrics.count("refused_batches", reason=error.reason)
        self._refusals.warn(
            f"refused a batch of {refused.device!r} ({error.reason}): {error.message}; kept in quarantine",
            about=f"{refused.device} {error.reason}",
            extra={"device": refused.device, "reason": error.reason, "format": refused.format},
        )
        if error.reason == "bad_topic" or not refused.arrival.answered:
            return  # there is no topic on which such a device could listen
        nack = wire.Nack(
            stream="",
            ranges=[],
            reason=error.reason,
            detail=error.message[:500],
            crc=wire.payload_crc(refused.arrival.payload),
        )
        self._broker.publish(self._topics.nack(refused.device), wire.encode(nack))

    @staticmethod
    def _release(read: Read, submissions: Sequence[Submission], committed: Committed) -> None:
        errors = {id(refused.arrival): refused.error for refused in committed.refused}
        for arrival in read.arrivals:
            if arrival.done is not None:
                arrival.done(errors.get(id(arrival)))
        for arrival, error in read.dropped:
            if arrival.done is not None:
                arrival.done(error)
        for submission in submissions:
            submission.committed.set()

    def _count(self, committed: Committed) -> None:
        readings = sum(entry.rows.num_rows for entry in committed.entries)
        self._metrics.count("journalled_readings", readings)
        self._metrics.count("duplicate_readings", committed.duplicates)


def merged(ranges: Sequence[Range]) -> list[Range]:
    """The same numbers in as few ranges as can be."""
    return RangeSet(ranges).pairs()
