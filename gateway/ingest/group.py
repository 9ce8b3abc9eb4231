"""A group of work to batches: decode, refuse what is over a limit, and stop where memory ends.

Decoding is bounded by what it yields: a payload of 8 MiB may be 64 MiB of columns, and a group has up to
8,000 of them. What goes beyond the bound is left for the next commit.

What a device sends beyond its limit (``Work.over_limit``) is not lost. Where readings have an identity and
are answered by MQTT, their sender waits for our ack and sends them again: they are dropped, counted.
Others would not come again: they go into quarantine, from where they are replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.ingest.arrival import Arrival
from gateway.ingest.gather import gather, may_gather
from gateway.ingest.inbox import Work
from gateway.ingest.limits import Limits
from gateway.ingest.reading import Accepted, Refused, read
from headrace import wire
from headrace.codecs import line
from headrace.errors import PayloadError
from headrace.limits.ingest import GROUP_MAX_DECODED_BYTES, MAX_DEVICE_LABELS
from headrace.metrics import Metrics

_LABELS: Final = frozenset({*wire.FORMATS, *line.UNITS})


@dataclass(slots=True)
class Read:
    """What came of a group. ``arrivals`` are those of ``accepted`` and ``refused``; ``left`` were not read."""

    accepted: list[Accepted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    dropped: list[tuple[Arrival, PayloadError]] = field(default_factory=list)
    left: list[Arrival] = field(default_factory=list)

    @property
    def arrivals(self) -> list[Arrival]:
        """All that was read and is neither dropped nor left."""
        found = [arrival for batch in self.accepted for arrival in batch.arrivals]
        return found + [refused.arrival for refused in self.refused]


class GroupReader:
    """Reads groups; used by the ingest thread.

    Args:
        limits: of devices, shared with the inbox.
        monotonic: the clock that they go by.
    """

    def __init__(self, limits: Limits, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._metrics = metrics
        self._monotonic = monotonic
        self._labels: set[str] = set()

    def read(self, work: Work) -> Read:
        """Batches and refusals; the same for the same work, so that it may be read again."""
        found = Read()
        self._refuse_over_limit(work.over_limit, found)
        small = [arrival for arrival in work.arrivals if may_gather(arrival)]
        others = work.arrivals
        if len(small) > 1:
            gathered, left = gather(small)
            found.accepted += gathered
            others = left + [arrival for arrival in work.arrivals if not may_gather(arrival)]
        self._read_each(others, found)
        self._check_series(found)
        return found

    def _read_each(self, arrivals: Sequence[Arrival], found: Read) -> None:
        room = GROUP_MAX_DECODED_BYTES
        for place, arrival in enumerate(arrivals):
            if room < 0:
                found.left = list(arrivals[place:])
                return
            result = read(arrival)
            if isinstance(result, Accepted):
                found.accepted.append(result)
                room -= result.size
            else:
                found.refused.append(result)

    def _check_series(self, found: Read) -> None:
        now, admitted = self._monotonic(), []
        for batch in found.accepted:
            try:
                self._limits.admit(batch.device, batch.names, now)
                admitted.append(batch)
            except PayloadError as error:
                found.refused += [Refused(arrival, error) for arrival in batch.arrivals]
        found.accepted = admitted

    def _refuse_over_limit(self, arrivals: Sequence[Arrival], found: Read) -> None:
        for arrival in arrivals:
            error = PayloadError(
                "over_limit",
                f"{arrival.device[:80]} sends more than its limit",
                hint="see [limits] in gateway.toml; raise it and replay, or mend the device",
            )
            result = read(arrival)
            if isinstance(result, Refused):
                found.refused.append(result)
            elif result.decoded.stream is None or not arrival.answered:
                found.refused.append(Refused(arrival, error))
            else:
                found.dropped.append((arrival, error))

    def charge(self, done: Read) -> None:
        """What was read is committed: count it, and let devices pay for it."""
        self._count(done)
        now = self._monotonic()
        for batch in done.accepted:
            rows, size = batch.decoded.rows.num_rows, len(batch.payload)
            held = self._limits.held
            was_held = batch.device in held
            if self._limits.charge(batch.device, readings=rows, size=size, now=now) > was_held:
                self._count_limited(batch.device, "held")

    def _count(self, done: Read) -> None:
        sizes: dict[str, list[int]] = {}
        for arrival in done.arrivals:
            sizes.setdefault(arrival.format, []).append(len(arrival.payload))
        for format_name, found in sizes.items():
            self._metrics.count("received_batches", len(found), format=_label(format_name))
            self._metrics.count("received_bytes", sum(found), format=_label(format_name))
        widened = sum(sum(batch.decoded.widened.values()) for batch in done.accepted)
        if widened:
            self._metrics.count("widened_readings", widened)
        for arrival, _ in done.dropped:
            self._metrics.count("dropped_batches", reason="over_limit")
            self._count_limited(arrival.device, "dropped")
        for refused in done.refused:
            if refused.error.reason == "over_limit":
                self._count_limited(refused.device, "refused")

    def _count_limited(self, device: str, what: str) -> None:
        if len(self._labels) < MAX_DEVICE_LABELS:
            self._labels.add(device)
        label = device if device in self._labels else "others"
        self._metrics.count("limited_batches", device=label, what=what)


def _label(format_name: str) -> str:
    """Formats as a metric's label: whatever a stranger writes there, the labels stay few."""
    return format_name if format_name in _LABELS else "unknown"
