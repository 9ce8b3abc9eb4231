"""The profile ``json``: readings for anybody who speaks MQTT and JSON.

One message for each batch and topic. A topic template with ``{name}`` gives each series a topic of its
own; characters that a topic may not have become ``_``. The payload::

    {"site":"plant-a","device":"pump-1","stream":"1f…","seq":4012,"readings":[
      {"n":"flow","u":"m3/h","t":1750000000.000000,"v":5.21}, …]}

``readings`` are SenML records. ``seq`` is that of the first of them: a message that comes again (QoS 1
allows it) has the same topic, stream and seq.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.columns import Columns, gather
from gateway.sinks.mqtt.config import MqttSettings
from gateway.sinks.mqtt.message import Message
from gateway.sinks.senml import records, sayable
from gateway.sinks.texts import quoted

_NOT_IN_A_TOPIC: Final = re.compile(r"[+#\x00]")

Ints = NDArray[np.int64]


class PlainProfile:
    """Batches to JSON messages."""

    def __init__(self, settings: MqttSettings, *, site: str) -> None:
        self._topic = settings.topic
        self._by_name = "{name}" in settings.topic
        self._max_bytes = settings.max_bytes
        self._site = site

    def messages(self, entries: Sequence[Entry]) -> tuple[list[Message], list[Rejected]]:
        """In order; what JSON cannot say is rejected."""
        found: list[Message] = []
        rejected: list[Rejected] = []
        for entry in entries:
            if entry.rows.num_rows:
                columns, refused = sayable(gather([entry]))
                rejected += refused
                for at, topic in self._topics(entry, columns):
                    messages, too_large = self._cut(entry, columns, at, topic)
                    found += messages
                    rejected += too_large
        return found, rejected

    def _topics(self, entry: Entry, columns: Columns) -> Iterator[tuple[Ints, str]]:
        """Places of readings, and the topic that they go to."""
        if not len(columns):
            return
        if not self._by_name:
            yield np.arange(len(columns)), self._said(entry, "")
            return
        for number in np.unique(columns.series).tolist():
            name, _unit = columns.labels[number]
            yield np.flatnonzero(columns.series == number), self._said(entry, name)

    def _said(self, entry: Entry, name: str) -> str:
        name = _NOT_IN_A_TOPIC.sub("_", name)
        return self._topic.format(site=self._site, device=entry.device, name=name)

    def _cut(
        self, entry: Entry, columns: Columns, at: Ints, topic: str
    ) -> tuple[list[Message], list[Rejected]]:
        """As few messages as ``max_bytes`` allows."""
        said = records(columns).take(pa.array(at))
        room = self._max_bytes - len(self._head(entry, 2**62)) - 2
        sizes = pc.binary_length(said).to_numpy(zero_copy_only=False).astype(np.int64)
        fits = sizes <= room
        mask = np.zeros(len(columns), np.bool_)
        mask[at[~fits]] = True
        rejected = columns.rejections(mask, "too_large", f"a message holds {self._max_bytes} bytes")
        at, texts, sizes = at[fits], said.filter(pa.array(fits)).to_pylist(), sizes[fits]
        messages = []
        for start, end in _cuts(sizes, room):
            head = self._head(entry, int(columns.seq[at[start]]))
            payload = (head + "".join(texts[start:end])[:-1] + "]}").encode()
            rows = columns.row[at[start:end]].tolist()
            messages.append(Message(topic, payload, entry, rows))
        return messages, rejected

    def _head(self, entry: Entry, seq: int) -> str:
        return (
            f'{{"site":{quoted(self._site)},"device":{quoted(entry.device)},'
            f'"stream":{quoted(entry.stream)},"seq":{seq},"readings":['
        )


def _cuts(sizes: Ints, room: int) -> Iterator[tuple[int, int]]:
    """Stretches whose sizes sum up to at most ``room``."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        end = int(np.searchsorted(ends, before + room, side="right"))
        yield start, end
        start = end
