"""A sink behind a journal cursor: adapts the ``Sink`` port to the ``Consumer`` port."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gateway.consumer import Consumer, Outcome, Rejected
from gateway.feed import Entry
from gateway.lanes import IN_ORDER, LanePolicy
from gateway.sinks.apart import without_odd
from gateway.sinks.port import Sink
from headrace.errors import SinkUnavailable
from headrace.logs import FirstTimes
from headrace.metrics import Metrics

logger = logging.getLogger(__name__)


class SinkConsumer(Consumer):
    """Reads the journal for one sink.

    Args:
        name: of the sink; the cursor is called ``sink/<name>``.
        required: whether the journal keeps batches until the sink has them.
        lanes: which batches it takes first, and how fast.
        hold_odd: whether readings whose time cannot be right stay with the lake.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        required: bool,
        metrics: Metrics,
        lanes: LanePolicy = IN_ORDER,
        hold_odd: bool = False,
    ) -> None:
        self.name = f"sink/{name}"
        self.required = required
        self.lanes = lanes
        self._sink = sink
        self._label = name
        self._metrics = metrics
        self._hold_odd = hold_odd
        self._odd = FirstTimes(logger)
        self._rows = 0
        self._held = 0

    def step(self, entries: Sequence[Entry], now_us: int) -> Outcome:
        if not entries:
            self._sink.idle()
            return Outcome()
        entries = self._sendable(entries)
        self._rows = sum(entry.rows.num_rows for entry in entries)
        try:
            rejected = self._sink.deliver(entries) if entries else []
        except SinkUnavailable:
            self._count("keep", self._rows)
            raise
        return Outcome(rejected=rejected)

    def committed(self, outcome: Outcome) -> None:
        refused = sum(_rows(rejected) for rejected in outcome.rejected)
        self._count("reject", refused)
        self._count("accept", self._rows - refused)
        self._count("hold", self._held)
        self._rows = self._held = 0

    def close(self) -> None:
        self._sink.close()

    def _sendable(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        if not self._hold_odd:
            return entries
        kept, held = without_odd(entries)
        self._held = sum(held.values())
        for device in held:
            self._odd.warn(f"{device} sends odd times (before 2000, or a day ahead): the lake has them, {self._label} has not")  # fmt: skip
        return kept

    def _count(self, verdict: str, rows: int) -> None:
        if rows:
            self._metrics.count("sink_readings", rows, sink=self._label, verdict=verdict)


def _rows(rejected: Rejected) -> int:
    rows = rejected.rows if rejected.rows is not None else rejected.entry.rows
    return int(rows.num_rows)
