"""Records to CloudEvents 1.0: one event for the readings of a batch, several for a long one.

``source`` and ``id`` together name an event for life: the id is the stream and the sequence numbers, and
where a batch is cut depends on the batch and on ``max_bytes`` only. So an event that is sent again is
the same event, and a receiver that remembers (source, id) has each reading once. An event's readings
follow each other without holes; its first record carries ``stream`` and ``seq``, as a device's would.

The cloudevents package is not used: an event is eight attributes around a text that is made by the
megabyte, and the package would take it apart and make it again, reading by reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final
from urllib.parse import quote

import numpy as np

from gateway.feed import Entry
from gateway.sinks.columns import Columns
from gateway.sinks.search import Items
from gateway.sinks.senml import records
from gateway.sinks.texts import quoted
from headrace.limits.sinks import WEBHOOK_MAX_ROWS

TYPE: Final = "headrace.readings"
CONTENT_TYPE: Final = "application/senml+json"
_ENVELOPE: Final = 400


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``data`` is a SenML pack, ``readings`` its places in the columns."""

    attributes: dict[str, str]
    data: bytes
    readings: Items

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return f"{self.attributes['source']} {self.attributes['id']}"

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.data) + _ENVELOPE

    def structured(self) -> bytes:
        """The event as one JSON object."""
        said = ",".join(f'"{name}":{quoted(text)}' for name, text in self.attributes.items())
        return b"{" + said.encode() + b',"data":' + self.data + b"}"


def events(columns: Columns, site: str, max_bytes: int) -> list[Event]:
    """All readings as events."""
    if not len(columns):
        return []
    made = records(columns)
    _, offsets, data = made.buffers()
    ends = np.frombuffer(offsets, np.int64)[made.offset : made.offset + len(made) + 1]
    return [
        _event(columns, first, end, memoryview(data)[int(ends[first]) : int(ends[end]) - 1], site)
        for run in _runs(columns)
        for first, end in _cuts(*run, ends, max_bytes)
    ]


def _runs(columns: Columns) -> list[tuple[int, int]]:
    """Readings of one batch whose sequence numbers follow each other."""
    breaks = np.flatnonzero((np.diff(columns.batch) != 0) | (np.diff(columns.seq) != 1)) + 1
    bounds = [0, *breaks.tolist(), len(columns)]
    return list(pairwise(bounds))


def _cuts(first: int, end: int, ends: Items, max_bytes: int) -> list[tuple[int, int]]:
    """A run in parts that each fit into a request: by records, never less than one."""
    cuts = []
    while first < end:
        fitting = int(np.searchsorted(ends, ends[first] + max_bytes - _ENVELOPE, side="right")) - 1
        cut = min(max(fitting, first + 1), first + WEBHOOK_MAX_ROWS, end)
        cuts.append((first, cut))
        first = cut
    return cuts


def _event(columns: Columns, first: int, end: int, data: memoryview, site: str) -> Event:
    entry: Entry = columns.entries[int(columns.batch[first])]
    first_seq, last_seq = int(columns.seq[first]), int(columns.seq[end - 1])
    attributes = {
        "specversion": "1.0",
        "id": f"{entry.stream}/{first_seq}-{last_seq}",
        "source": f"/headrace/{quote(site)}/{entry.device}",
        "type": TYPE,
        "subject": entry.device,
        "time": _rfc3339(entry.received_at),
        "datacontenttype": CONTENT_TYPE,
    }
    identity = f'[{{"stream":"{entry.stream}","seq":{first_seq},'.encode()
    return Event(attributes, identity + data[1:] + b"]", np.arange(first, end))


def _rfc3339(micros: int) -> str:
    seconds, rest = divmod(micros, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"
