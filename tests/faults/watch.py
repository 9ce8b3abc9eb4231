"""An honest device beside an attack: how long its acks take, and what the gateway's memory does."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

from headrace.topics import Topics
from tests.batches import payload
from tests.enrolment import Client
from tests.programs import Gateway
from tests.servers import wait_until

TOPICS = Topics()
STREAM = "fedcba9876543210"
_PAUSE_S = 0.05


class Watch:
    """Publishes small batches, one after the other, and waits for the ack of each.

    Args:
        slowest_s: what an ack may take at most; a loaded machine of two cores included.
        growth_mb: what the gateway's memory may grow by.
    """

    def __init__(
        self, gateway: Gateway, client: Client, name: str, *, slowest_s: float, growth_mb: float
    ) -> None:
        self._gateway = gateway
        self._client = client
        self._name = name
        self._slowest_s, self._growth_mb = slowest_s, growth_mb
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="honest", daemon=True)
        self._seq = 1
        self.latencies: list[float] = []
        self.failure = ""
        self.peak_mb = 0.0

    def __enter__(self) -> Watch:
        assert self._client.up.is_set()
        self._client.subscribe(TOPICS.ack(self._name))
        self._before_mb = rss_mb(self._gateway)
        self._thread.start()
        self.wait_rounds(3)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            self.wait_rounds(3)
        self._enough.set()
        self._thread.join(60)
        if error is None:
            assert not self.failure
            assert not self._client.down.is_set(), "the honest device was put out"
            assert max(self.latencies) < self._slowest_s, sorted(self.latencies)[-5:]
            assert self.peak_mb - self._before_mb < self._growth_mb, (self._before_mb, self.peak_mb)

    def wait_rounds(self, more: int) -> None:
        """Until so many more batches have been acknowledged."""
        wanted = len(self.latencies) + more
        wait_until(lambda: len(self.latencies) >= wanted or self.failure, 60, "acks")
        assert not self.failure, self.failure

    def _run(self) -> None:
        while not self._enough.is_set():
            began, heard = time.monotonic(), len(self._client.heard)
            self._client.publish(TOPICS.data(self._name, "arrow"), payload(STREAM, self._seq, 10))
            try:
                wait_until(lambda heard=heard: len(self._client.heard) > heard, 30, "an ack")
            except AssertionError as error:
                self.failure = str(error)
                return
            self._seq += 10
            self.latencies.append(time.monotonic() - began)
            self.peak_mb = max(self.peak_mb, rss_mb(self._gateway))
            self._enough.wait(_PAUSE_S)


def rss_mb(gateway: Gateway) -> float:
    """The gateway's memory at present."""
    process = gateway.program.process
    assert process is not None
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the gateway is gone")
