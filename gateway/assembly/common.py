"""What many parts share."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config import GatewayConfig
from gateway.consumer import Consumer
from gateway.feed import Feed
from gateway.ingest.inbox import Inbox
from gateway.ingest.limits import Limits
from gateway.live import Live
from gateway.runner import ConsumerRunner
from gateway.tracing.port import Trace
from headrace.clock import Clock
from headrace.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Common:
    """What many parts share."""

    config: GatewayConfig
    clock: Clock
    metrics: Metrics
    live: Live
    limits: Limits
    inbox: Inbox
    feed: Feed
    trace: Trace

    def runner(self, consumer: Consumer) -> ConsumerRunner:
        """The thread of one consumer."""
        return ConsumerRunner(consumer, self.feed, self.inbox, self.clock, self.metrics, self.trace)
