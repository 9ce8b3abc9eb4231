"""How the gateway itself is doing: readiness, consumers, gaps. Read by HTTP, console and metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.broker.port import Broker
from gateway.ingest.dedup import Seen
from gateway.runner import ConsumerRunner
from gateway.worker import IngestWorker
from headrace.metrics import Metrics
from headrace.ranges import Range


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
    ) -> None:
        self.site = site
        self._broker = broker
        self._ingest = ingest
        self._runners = runners
        self._seen = seen
        self._head = head
        self._metrics = metrics

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

    def consumers(self) -> list[dict[str, Any]]:
        """Everyone behind the journal, in this process."""
        return [
            {
                "consumer": runner.consumer.name,
                "required": runner.consumer.required,
                "cursor": runner.cursor,
                "lag_batches": runner.lag,
                "failure": str(runner.failure) if runner.failure else None,
            }
            for runner in self._runners
        ]

    @property
    def head(self) -> int:
        """Last offset of the journal."""
        return self._head()

    def gaps(self, device: str) -> dict[str, list[Range]]:
        """What each stream of a device lacks; also sets the device's gap metric."""
        holes = self._seen.holes(device)
        missing = sum(last - first + 1 for ranges in holes.values() for first, last in ranges)
        if holes:
            self._metrics.set("gap_readings", missing, device=device)
        return holes
