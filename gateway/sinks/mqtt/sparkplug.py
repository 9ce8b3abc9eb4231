"""The profile ``sparkplug``: the site as an edge node of Sparkplug B, and its devices as that node's devices.

``spBv1.0/<group>/<NBIRTH|DBIRTH|DDATA|NDEATH>/<site>[/<device>]``. A number is a metric of type Double, a text
one of type String; where a series has both, the second kind is ``<name>/text`` or ``<name>/value``. A device's
birth names all series that were seen of it, so a new one means a new birth. Data give aliases and
milliseconds; a reading older than the newest of its series is marked historical.

The session ends with the connection: the next one has another bdSeq, and births come first. Births and data
go out with QoS 0, as the specification has it (tck-id-payloads-nbirth-qos, -dbirth-qos, -ddata-qos; only the will
has 1), and yet no reading counts as taken before the broker has said so: ``connection`` asks it behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.mqtt.message import Message
from gateway.sinks.parts import Part, encoded, rejections
from headrace.codecs.sparkplug import BD_SEQ, NODE_CONTROL
from headrace.codecs.sparkplug_schema import Payload, PropertySet, parse
from headrace.codecs.sparkplug_values import DataType
from headrace.errors import PayloadError
from headrace.limits.sinks import SPARKPLUG_SINK_MAX_SERIES, SPARKPLUG_SINK_ROWS

NAMESPACE = "spBv1.0"


@dataclass(slots=True)
class _Metric:
    """A series on its way: ``time`` (ms) and ``value`` are the newest that were sent."""

    name: str
    alias: int
    text: bool
    unit: str
    time: int = 0
    value: float | str | None = None


@dataclass(slots=True)
class _Device:
    """Metrics by series and kind; ``born``: how many of them its last birth named."""

    metrics: dict[tuple[str, bool], _Metric] = field(default_factory=dict)
    born: int = 0


class SparkplugProfile:
    """Batches to messages of one session.

    Args:
        bd_seq: of the session before the first.
    """

    def __init__(self, *, group: str, site: str, max_bytes: int, bd_seq: int) -> None:
        self._group, self._node = group, site
        self._max_bytes = max_bytes
        self._bd_seq = bd_seq
        self._seq = 0
        self._born = False
        self._asked = False
        self._devices: dict[str, _Device] = {}
        self._aliases = 0

    # --- the session -------------------------------------------------------------------------------

    def begin(self) -> tuple[str, bytes]:
        """A connection is about to be made: the will that it has."""
        self._bd_seq = (self._bd_seq + 1) % 256
        self._asked = False
        self.rebirth()
        return self.death()

    def death(self) -> tuple[str, bytes]:
        """What is said when it ends: NDEATH."""
        made = Payload()
        made.metrics.add(name=BD_SEQ, datatype=DataType.INT64, long_value=self._bd_seq)
        return self._topic("NDEATH"), bytes(made.SerializeToString())

    def rebirth(self) -> None:
        """All births have to be said again."""
        self._born = False
        for device in self._devices.values():
            device.born = 0

    @property
    def is_born(self) -> bool:
        """Whether nothing has asked for a birth that is not out yet."""
        return self._born

    @property
    def command_topic(self) -> str:
        """Where hosts ask for births."""
        return self._topic("NCMD")

    def command(self, payload: bytes) -> None:
        """By paho's thread. A host asks for births; other commands are not for us."""
        try:
            metrics = parse(payload).metrics
        except PayloadError:
            return
        wanted = f"{NODE_CONTROL}Rebirth"
        if any(each.name == wanted and each.boolean_value for each in metrics):
            self._asked = True

    def hear(self) -> bool:
        """Whether births were asked for since the last call; then all of them are due."""
        asked, self._asked = self._asked, False
        if asked:
            self.rebirth()
        return asked

    # --- messages ----------------------------------------------------------------------------------

    def births(self, now_ms: int, entry: Entry) -> Iterator[Message]:
        """What hosts have to know before data, if they do not yet; ``entry`` is what waits for it."""
        if not self._born:
            self._born, self._seq = True, 0
            made = Payload(timestamp=now_ms)
            made.metrics.add(
                name=BD_SEQ, timestamp=now_ms, datatype=DataType.INT64, long_value=self._bd_seq
            )
            made.metrics.add(
                name=f"{NODE_CONTROL}Rebirth", timestamp=now_ms, datatype=DataType.BOOLEAN,
                boolean_value=False,
            )  # fmt: skip
            yield self._message("NBIRTH", "", made, entry)
        for name, device in self._devices.items():
            if device.born < len(device.metrics):
                device.born = len(device.metrics)
                yield self._message("DBIRTH", name, _birth(device, now_ms), entry)

    def messages(
        self, entries: Sequence[Entry], now_ms: int
    ) -> tuple[list[Message], list[Rejected]]:
        """Births that are needed, and data, in order; what no message can hold is rejected."""
        found: list[Message] = []
        rejected: list[Rejected] = []
        for entry in entries:
            starts = range(0, entry.rows.num_rows, SPARKPLUG_SINK_ROWS)
            parts = [Part(entry, at, entry.rows.slice(at, SPARKPLUG_SINK_ROWS)) for at in starts]
            if not self._learn(entry):
                detail = f"more than {SPARKPLUG_SINK_MAX_SERIES} series"
                rejected.append(Rejected(entry, "too_many_series", detail))
                continue
            found += self.births(now_ms, entry)
            ready, refused = encoded(parts, self._encode, self._max_bytes)
            rejected += rejections(refused)
            for part in ready:
                found.append(self._data(part, now_ms))
        return found, rejected

    def _learn(self, entry: Entry) -> bool:
        """Know all metrics of a batch; False where they are too many."""
        device = self._devices.setdefault(entry.device, _Device())
        rows = entry.rows
        kinds = pa.Table.from_arrays(
            [rows.column("name").cast(pa.utf8()), rows.column("text").is_valid()], ["name", "text"]
        )
        for pair in kinds.group_by(["name", "text"]).aggregate([]).to_pylist():
            key = (pair["name"], pair["text"])
            if key in device.metrics:
                continue
            if self._aliases >= SPARKPLUG_SINK_MAX_SERIES:
                return False
            self._aliases += 1
            other = (pair["name"], not pair["text"]) in device.metrics
            name = key[0] + (("/text" if key[1] else "/value") if other else "")
            unit = entry.units.get(key[0], "")
            device.metrics[key] = _Metric(name, self._aliases, key[1], unit)
        return True

    def _encode(self, part: Part) -> bytes:
        """As large as the message will be: seq and timestamp take 14 bytes at most."""
        return bytes(self._payload(part).SerializeToString()) + bytes(14)

    def _payload(self, part: Part) -> Any:
        known = self._devices[part.entry.device].metrics
        made = Payload()
        rows = part.rows
        names = rows.column("name").cast(pa.utf8()).to_pylist()
        times = rows.column("time").cast(pa.int64()).to_pylist()
        values, texts = rows.column("value").to_pylist(), rows.column("text").to_pylist()
        for name, time, value, text in zip(names, times, values, texts, strict=True):
            metric = known[name, text is not None]
            at = time // 1_000
            added = made.metrics.add(alias=metric.alias, timestamp=at)
            if text is None:
                added.double_value = value
            else:
                added.string_value = text
            if at < metric.time:
                added.is_historical = True
        return made

    def _data(self, part: Part, now_ms: int) -> Message:
        made = self._payload(part)
        made.timestamp = now_ms
        self._remember(part, made)
        return self._message("DDATA", part.entry.device, made, part.entry, part.places)

    def _remember(self, part: Part, made: Any) -> None:
        """The newest values: a later birth says them."""
        metrics = self._devices[part.entry.device].metrics.values()
        by_alias = {metric.alias: metric for metric in metrics}
        for said in made.metrics:
            metric = by_alias[said.alias]
            if said.timestamp >= metric.time:
                metric.time = said.timestamp
                metric.value = said.string_value if metric.text else said.double_value

    def _message(
        self, kind: str, device: str, made: Any, entry: Entry, rows: Sequence[int] = ()
    ) -> Message:
        made.seq = self._seq
        self._seq = (self._seq + 1) % 256
        return Message(self._topic(kind, device), bytes(made.SerializeToString()), entry, rows)

    def _topic(self, kind: str, device: str = "") -> str:
        path = f"{NAMESPACE}/{self._group}/{kind}/{self._node}"
        return f"{path}/{device}" if device else path


def _birth(device: _Device, now_ms: int) -> Any:
    """DBIRTH: every metric with alias, type, unit, and its newest value if there is one."""
    made = Payload(timestamp=now_ms)
    for metric in device.metrics.values():
        added = made.metrics.add(
            name=metric.name, alias=metric.alias, timestamp=metric.time or now_ms,
            datatype=DataType.STRING if metric.text else DataType.DOUBLE,
        )  # fmt: skip
        if metric.value is None:
            added.is_null = True
        elif isinstance(metric.value, str):
            added.string_value = metric.value
        else:
            added.double_value = metric.value
        if metric.unit:
            unit = PropertySet(keys=["engUnit"])
            unit.values.add(type=DataType.STRING, string_value=metric.unit)
            added.properties = bytes(unit.SerializeToString())
    return made
