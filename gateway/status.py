"""How the gateway itself is doing: readiness, consumers, gaps. Read by HTTP, console and metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.broker.port import Broker
from gateway.clashes import Clash
from gateway.ingest.dedup import Seen
from gateway.runner import ConsumerRunner
from gateway.worker import IngestWorker
from headrace.errors import StorageError
from headrace.journal import DAMAGED, JournalReader
from headrace.limits.ingest import MAX_DEVICE_GAUGES
from headrace.metrics import Metrics
from headrace.ranges import Range

logger = logging.getLogger(__name__)


class Status:
    """Looks at the parts; owns none of them."""

    def __init__(
        self,
        *,
        site: str,
        broker: Broker,
        ingest: IngestWorker,
        runners: Sequence[ConsumerRunner],
        seen: Seen,
        head: Callable[[], int],
        metrics: Metrics,
        journal: Path,
    ) -> None:
        self.site = site
        self._broker = broker
        self._ingest = ingest
        self._runners = runners
        self._seen = seen
        self._head = head
        self._metrics = metrics
        self._journal = journal
        self._with_gaps: set[str] = set()
        self._with_offset: set[str] = set()

    def not_ready(self) -> list[str]:
        """Why batches cannot be taken at present; empty when they can."""
        reasons = []
        if not self._broker.connected:
            reasons.append("no connection to the broker")
        if self._ingest.failure is not None:
            reasons.append(f"journal failed: {self._ingest.failure}")
        elif self._ingest.stalled:
            reasons.append("the journal takes nothing at present (disk full or over its budget)")
        return reasons

    def clashes(self) -> list[Clash]:
        """Client ids that two clients fight over; in the event loop."""
        return self._broker.clashes()

    def consumers(self) -> list[dict[str, Any]]:
        """Everyone behind the journal; ``here`` says whether it runs in this process."""
        own = [
            {
                "consumer": runner.consumer.name,
                "here": True,
                "required": runner.consumer.required,
                "cursor": runner.cursor,
                "lag_batches": runner.lag,
                "failure": str(runner.failure) if runner.failure else None,
            }
            for runner in self._runners
        ]
        return own + self._others({consumer["consumer"] for consumer in own})

    def _others(self, own: set[Any]) -> list[dict[str, Any]]:
        """Consumers in other processes (cloud-sync is ``lake``), as their cursors stand in the file."""
        try:
            with JournalReader(self._journal) as reader:
                cursors = reader.cursors()
        except StorageError as error:
            logger.warning("cannot read cursors: %s", error)
            return []
        return [
            {
                "consumer": name,
                "here": False,
                "required": required,
                "cursor": offset,
                "lag_batches": max(0, self.head - offset),
                "failure": None,
            }
            for name, offset, required in cursors
            if name not in own
        ]

    def _damaged(self) -> int:
        try:
            with JournalReader(self._journal) as reader:
                return reader.quarantine_reasons().get(DAMAGED, 0)
        except StorageError as error:
            logger.warning("cannot read the quarantine: %s", error)
            return 0

    @property
    def head(self) -> int:
        """Last offset of the journal."""
        return self._head()

    def gaps(self, device: str) -> dict[str, list[Range]]:
        """What each stream of a device lacks."""
        return self._seen.holes(device)

    def missing(self) -> dict[str, int]:
        """How many readings each device lacks; only devices that lack some."""
        return self._seen.missing()

    def refresh_metrics(self, online: int, offsets: Mapping[str, float]) -> None:
        """Bring the metrics up to date that nobody counts as things happen.

        Args:
            online: devices that say so.
            offsets: seconds that devices' clocks are off, by device.
        """
        self._metrics.set("devices_online", online)
        self._metrics.set("broker_connected", int(self._broker.connected))
        self._metrics.set("damaged_batches", self._damaged())
        for consumer in self.consumers():
            lag = consumer["lag_batches"]
            self._metrics.set("consumer_lag_batches", lag, consumer=consumer["consumer"])
        self._with_gaps = self._set_each("gap_readings", self._seen.missing(), self._with_gaps)
        self._with_offset = self._set_each("clock_offset_seconds", offsets, self._with_offset)

    def _set_each(self, metric: str, found: Mapping[str, float], before: set[str]) -> set[str]:
        """A value for each device that has one, and for no other: labels must not grow for ever."""
        shown = set(sorted(found)[:MAX_DEVICE_GAUGES])
        for device in before - shown:
            self._metrics.forget(metric, device=device)
        for device in shown:
            self._metrics.set(metric, found[device], device=device)
        return shown
