"""The profile ``headrace``: batches on the topics of the wire contract, as a device sends them.

Stream and seq go along, so the gateway at the other end knows a reading that it has seen. Two things
may not cross over as they are, because no device may say them:

- What this gateway made itself (``model/…``, ``alert/…``, ``gateway/…``) gets the site's name in front
  (``plant-a/alert/hot``): nobody over there is woken by it, and nothing is lost.
- A stream of readings that this gateway numbered (``gw-…``) loses its mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.columns import gather
from gateway.sinks.mqtt.config import MqttSettings
from gateway.sinks.mqtt.message import Message
from gateway.sinks.parts import Part, encoded, rejections
from gateway.sinks.senml import records
from headrace.batch import GATEWAY_STREAM_PREFIX, BatchId, is_device_id
from headrace.codecs import BATCH_SCHEMA, arrow
from headrace.codecs.senml_readings import RELATIVE_BELOW
from headrace.derived import is_derived
from headrace.topics import Topics


class HeadraceProfile:
    """Batches to messages for another gateway."""

    def __init__(self, settings: MqttSettings, *, site: str) -> None:
        self._topics = Topics(settings.topic_root)
        self._device = settings.device
        self._encoding = settings.encoding
        self._max_bytes = settings.max_bytes
        self._site = site

    def messages(self, entries: Sequence[Entry]) -> tuple[list[Message], list[Rejected]]:
        """In order; what no message can say is rejected."""
        whole: list[Part] = []
        rejected: list[Rejected] = []
        for entry in entries:
            if not is_device_id(self._name(entry)):
                rejected.append(
                    Rejected(entry, "bad_device", f"{self._name(entry)!r} is no device")
                )
                continue
            found, refused = self._sayable(self._presentable(entry))
            whole += found
            rejected += refused
        parts, refusals = encoded(whole, self._encode, self._max_bytes)
        return [self._message(part) for part in parts], [*rejected, *rejections(refusals)]

    def _name(self, entry: Entry) -> str:
        return self._device.format(site=self._site, device=entry.device)

    def _presentable(self, entry: Entry) -> Entry:
        name = entry.rows.column("name")
        series = name.dictionary.to_pylist()
        if not any(is_derived(each) for each in series):
            return entry
        said = {each: f"{self._site}/{each}" if is_derived(each) else each for each in series}
        dictionary = pa.array([said[each] for each in series], pa.utf8())
        renamed = pa.DictionaryArray.from_arrays(name.indices, dictionary)
        columns = [renamed, *entry.rows.columns[1:]]
        units = {said.get(each, each): unit for each, unit in entry.units.items()}
        rows = pa.RecordBatch.from_arrays(columns, schema=BATCH_SCHEMA)
        return replace(entry, rows=rows, units=units)

    def _sayable(self, entry: Entry) -> tuple[list[Part], list[Rejected]]:
        """Arrow says everything; in SenML the rest is cut out, because seqs follow without holes."""
        if entry.rows.num_rows == 0:
            return [], []
        if self._encoding == "arrow":
            return [Part(entry, 0, entry.rows)], []
        finite = pc.is_finite(entry.rows.column("value")).fill_null(True)
        late = pc.greater_equal(
            entry.rows.column("time").cast(pa.int64()), RELATIVE_BELOW * 1_000_000
        )
        good = pc.and_(finite, late).to_pylist()
        bad = [at for at, fine in enumerate(good) if not fine]
        edges = [-1, *bad, len(good)]
        runs = [(a + 1, b - a - 1) for a, b in pairwise(edges) if b - a > 1]
        parts = [Part(entry, start, entry.rows.slice(start, count)) for start, count in runs]
        if not bad:
            return parts, []
        rows = entry.rows.take(pa.array(bad))
        detail = "SenML in JSON has no infinity, no NaN, and no times before July 1978"
        return parts, [Rejected(entry, "not_sayable", detail, rows)]

    def _message(self, part: Part) -> Message:
        device = self._name(part.entry)
        topic = self._topics.data(device, self._encoding)
        identity = BatchId(device, _stream(part.entry), part.first_seq, part.last_seq)
        return Message(topic, part.payload, part.entry, part.places, identity)

    def _encode(self, part: Part) -> bytes:
        entry = part.entry
        if self._encoding == "arrow":
            return arrow.encode(
                part.rows, stream=_stream(entry), first_seq=part.first_seq, units=entry.units,
                clock=entry.clock,
            )  # fmt: skip
        said = records(gather([replace(entry, rows=part.rows)])).to_pylist()
        first = f'{{"stream":"{_stream(entry)}","seq":{part.first_seq},{said[0][1:]}'
        return f"[{first}{''.join(said[1:])}"[:-1].encode() + b"]"


def _stream(entry: Entry) -> str:
    return entry.stream.removeprefix(GATEWAY_STREAM_PREFIX)
