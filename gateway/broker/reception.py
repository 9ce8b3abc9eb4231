"""Messages of a broker, sorted: batches wait for the journal, states are shown.

Topics repeat for as long as a device lives, so what a topic says is worked out once.
"""

from __future__ import annotations

import logging
from typing import Final

from gateway.ingest.arrival import Arrival, Done
from gateway.ingest.inbox import Inbox
from gateway.live import Live
from headrace import wire
from headrace.clock import Clock
from headrace.errors import PayloadError
from headrace.metrics import Metrics
from headrace.topics import Incoming, Topics

logger = logging.getLogger(__name__)

#: Topics remembered, about 300 bytes each: a site's devices and formats. A client that thinks up
#: topics makes us forget and learn again, which costs 2 µs a message.
_MAX_KNOWN: Final = 20_000


class Reception:
    """Where both kinds of broker hand messages over; used by one thread."""

    def __init__(
        self, topics: Topics, inbox: Inbox, live: Live, clock: Clock, metrics: Metrics
    ) -> None:
        self.inbox = inbox
        self._topics = topics
        self._live = live
        self._clock = clock
        self._metrics = metrics
        self._known: dict[str, Incoming | None] = {}

    def take(self, topic: str, payload: bytes, done: Done | None = None) -> None:
        """Hand a message on."""
        arrival = self.sort(topic, payload, self.now_us(), done)
        if arrival is not None:
            self.inbox.put([arrival])

    def now_us(self) -> int:
        """The time at which what comes now arrives."""
        return self._clock.now_us()

    def sort(self, topic: str, payload: bytes, now_us: int, done: Done | None) -> Arrival | None:
        """A batch as what the inbox takes; None for what is not journalled, which is done at once."""
        incoming = self._incoming(topic)
        if incoming is not None and incoming.kind == "data":
            return Arrival(
                incoming.device, incoming.format, payload, now_us, topic, done=done,
                # Who waits for a PUBACK takes a place of the window that all devices share.
                may_wait=done is None,
            )  # fmt: skip
        if incoming is not None:
            self._take_state(incoming.device, payload)
        if done is not None:
            done(None)
        return None

    def device_of(self, topic: str) -> str:
        """Whose message it is; empty where it is nobody's."""
        incoming = self._incoming(topic)
        return "" if incoming is None else incoming.device

    def _incoming(self, topic: str) -> Incoming | None:
        try:
            return self._known[topic]
        except KeyError:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            found = self._known[topic] = self._topics.parse(topic)
            return found

    def _take_state(self, device: str, payload: bytes) -> None:
        """States are shown, not kept: the device sends them again, and the broker retains them."""
        if not payload:
            return
        try:
            state = wire.decode(payload, wire.DeviceState)
        except PayloadError as error:
            self._metrics.count("dropped_batches", reason="bad_state")
            logger.debug("state of %s: %s", device, error)
            return
        self._live.set_state(device, state)
