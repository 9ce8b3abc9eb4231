"""What the suites of sinks share: destinations, a journal with small deliveries, and somebody else behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.consumer import Consumer, Outcome
from gateway.feed import Entry
from gateway.journal import JournalWriter
from gateway.journal.retention import Retention
from headrace.clock import SystemClock
from headrace.limits.sizes import GIB
from headrace.metrics import Metrics
from tests.consumer_bench import Bench
from tests.contract import sink_destinations
from tests.contract.sink_destinations import Destination


@pytest.fixture(params=sink_destinations.NAMES)
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    made = sink_destinations.make(request.param, tmp_path / "server")
    yield made
    made.sink.close()
    made.close()


class Others(Consumer):
    """Anybody else behind the same journal."""

    name = "others"
    tick_s = 0.05

    def __init__(self) -> None:
        self.rows = 0

    def step(self, entries: Sequence[Entry], now_us: int) -> Outcome:
        self.rows += sum(each.rows.num_rows for each in entries)
        return Outcome()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A journal; retries come soon and deliveries are small, so that an outage is short."""
    monkeypatch.setattr("gateway.runner.RETRY_MAX_S", 0.5)
    monkeypatch.setattr("gateway.lanes.CONSUMER_MAX_ROWS", 100)
    monkeypatch.setattr("gateway.lanes.BACKFILL_MAX_ROWS", 100)
    retention = Retention(max_bytes=GIB, hold_for=())
    journal = JournalWriter(
        tmp_path / "journal.db", site="s", clock=SystemClock(), metrics=Metrics("gateway"),
        retention=retention,
    )  # fmt: skip
    made = Bench(journal)
    yield made
    made.end()
    journal.close()
