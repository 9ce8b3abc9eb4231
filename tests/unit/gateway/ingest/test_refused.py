"""What is refused is let go of when it is in quarantine."""

from __future__ import annotations

import gc
import weakref

import pytest

from gateway.ingest.arrival import Arrival
from gateway.ingest.group import GroupReader
from gateway.ingest.inbox import Work
from gateway.ingest.limits import Limits
from headrace.errors import PayloadError
from headrace.metrics import Metrics


class Sender:
    """Remembers what it was told, as a request does that waits for its answer."""

    error: PayloadError | None = None

    def done(self, error: PayloadError | None) -> None:
        self.error = error


@pytest.mark.parametrize(
    ("format_", "payload"),
    [
        ("line", b"m f=1 x"),
        ("senml-json", b"["),
        ("arrow", b"x"),
        ("xml", b""),
        ("senml-cbor", b""),
    ],
)
def test_a_refusal_does_not_stay_in_memory(format_: str, payload: bytes) -> None:
    """Error, frames, arrival and its sender were a circle once: 2 MB for each refused MB of HTTP."""
    gone = refused(format_, payload)
    gc.collect()
    assert gone() is None


def refused(format_: str, payload: bytes) -> weakref.ref[Sender]:
    """A sender whose payload was refused, and whom nobody knows any more."""
    sender = Sender()
    arrival = Arrival("pump-1", format_, payload, 0, "http", answered=False, done=sender.done)
    read = GroupReader(Limits(), Metrics("gateway"), lambda: 0.0).read(Work([arrival], []))
    (found,) = read.refused
    assert found.arrival.done is not None
    found.arrival.done(found.error)
    assert sender.error is found.error
    return weakref.ref(sender)
