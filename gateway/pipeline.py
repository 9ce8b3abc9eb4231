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

from gateway.broker.port import Broker
from gateway.feed import Feed
from gateway.ingest.arrival import Arrival
from gateway.ingest.gather import gather, may_gather
from gateway.ingest.inbox import Submission, Work
from gateway.ingest.reading import Accepted, Refused, read
from gateway.journal import Committed, JournalWriter
from gateway.tracing.port import OFF, Trace
from headrace import wire
from headrace.metrics import Metrics
from headrace.ranges import Range, RangeSet
from headrace.topics import Topics

logger = logging.getLogger(__name__)


class Pipeline:
    """Takes one group of work at a time through all steps; called by one thread."""

    def __init__(
        self,
        *,
        journal: JournalWriter,
        feed: Feed,
        broker: Broker,
        topics: Topics,
        metrics: Metrics,
        trace: Trace = OFF,
    ) -> None:
        self._trace = trace
        self._journal = journal
        self._feed = feed
        self._broker = broker
        self._topics = topics
        self._metrics = metrics

    def process(self, work: Work) -> None:
        """The whole path.

        Raises:
            StorageError: nothing was committed or confirmed; the same work may be tried again.
        """
        trace = self._trace
        with trace.group(work):
            with trace.step("decode"):
                accepted, refused = self._read(work.arrivals)
            with trace.step("commit"):
                committed = self._journal.commit(accepted, refused, work.submissions)
            with trace.step("confirm"):
                self._confirm(committed)
                self._release(work, committed)
            trace.committed(committed.entries)
            with trace.step("hand on"):
                self._feed.publish(committed.entries)
        self._count(committed)

    def process_submissions(self, submissions: Sequence[Submission]) -> None:
        """Results of consumers alone, for a journal that takes nothing else at present."""
        self.process(Work([], list(submissions)))

    def _read(self, arrivals: Sequence[Arrival]) -> tuple[list[Accepted], list[Refused]]:
        """Payloads to columns; many small ones in one pass."""
        self._count_arrivals(arrivals)
        small = [arrival for arrival in arrivals if may_gather(arrival)]
        if len(small) < 2:
            return _read_each(arrivals)
        accepted, left = gather(small)
        others = [arrival for arrival in arrivals if not may_gather(arrival)]
        more, refused = _read_each([*left, *others])
        return accepted + more, refused

    def _confirm(self, committed: Committed) -> None:
        for (device, stream), ranges in committed.acks.items():
            for ack in wire.acks(stream, merged(ranges)):
                self._broker.publish(self._topics.ack(device), wire.encode(ack))
        for refused in committed.refused:
            self._nack(refused)

    def _nack(self, refused: Refused) -> None:
        error = refused.error
        self._metrics.count("refused_batches", reason=error.reason)
        logger.warning(
            "refused a batch of %r (%s): %s; kept in quarantine",
            refused.device, error.reason, error.message,
            extra={"device": refused.device, "reason": error.reason, "format": refused.format},
        )  # fmt: skip
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
    def _release(work: Work, committed: Committed) -> None:
        errors = {id(refused.arrival): refused.error for refused in committed.refused}
        for arrival in work.arrivals:
            if arrival.done is not None:
                arrival.done(errors.get(id(arrival)))
        for submission in work.submissions:
            submission.committed.set()

    def _count_arrivals(self, arrivals: Sequence[Arrival]) -> None:
        sizes: dict[str, list[int]] = {}
        for arrival in arrivals:
            sizes.setdefault(arrival.format, []).append(len(arrival.payload))
        for format_name, found in sizes.items():
            self._metrics.count("received_batches", len(found), format=_label(format_name))
            self._metrics.count("received_bytes", sum(found), format=_label(format_name))

    def _count(self, committed: Committed) -> None:
        readings = sum(entry.rows.num_rows for entry in committed.entries)
        self._metrics.count("journalled_readings", readings)
        self._metrics.count("duplicate_readings", committed.duplicates)


def _read_each(arrivals: Sequence[Arrival]) -> tuple[list[Accepted], list[Refused]]:
    accepted: list[Accepted] = []
    refused: list[Refused] = []
    for arrival in arrivals:
        result = read(arrival)
        if isinstance(result, Accepted):
            accepted.append(result)
        else:
            refused.append(result)
    return accepted, refused


def _label(format_name: str) -> str:
    """Formats as a metric's label: whatever a stranger writes there, the labels stay few."""
    return format_name if format_name in wire.FORMATS else "unknown"


def merged(ranges: Sequence[Range]) -> list[Range]:
    """The same numbers in as few ranges as can be."""
    return RangeSet(ranges).pairs()
