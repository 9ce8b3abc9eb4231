"""A journal writer on a fresh file."""

from __future__ import annotations

import pytest

from gateway.ingest.arrival import Arrival
from gateway.ingest.reading import Accepted, Refused, read
from gateway.journal import JournalWriter
from gateway.journal.retention import Retention
from headrace.clock import ManualClock
from headrace.limits.sizes import GIB
from headrace.metrics import Metrics
from headrace.topics import Topics


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def open_journal(tmp_path, clock):
    """Opens (again) the one journal of a test."""
    opened = []

    def open_(max_bytes: int = GIB, hold_for: tuple[str, ...] = ()) -> JournalWriter:
        writer = JournalWriter(
            tmp_path / "journal.db",
            site="site-1",
            clock=clock,
            metrics=Metrics("gateway"),
            retention=Retention(max_bytes=max_bytes, hold_for=hold_for),
        )
        opened.append(writer)
        return writer

    yield open_
    for writer in opened:
        writer.close()


@pytest.fixture
def arrive(clock):
    """Turns a payload into what ``commit`` takes."""

    def arrive_(device: str, payload: bytes, format_name: str = "arrow") -> Accepted | Refused:
        topic = Topics().data(device, format_name)
        return read(Arrival(device, format_name, payload, clock.now_us(), topic))

    return arrive_
