"""The Kafka sink: what each delivery report means for the readings of a message.

======================  =====================================================================
report                  verdict
======================  =====================================================================
delivered               accept: on all replicas that the topic asks for
too large               again alone, because brokers refuse what came in one request together; then
                        in halves; one reading alone is rejected
invalid record          reject
anything else, or none  keep: broker away, not authorised, no such topic
======================  =====================================================================

What was reported as delivered before a failure is remembered until the rest is too, so a cluster that
comes and goes gets few messages twice; after a kill of the gateway a reader tells them by their headers.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.kafka.cluster import Cluster, Message
from gateway.sinks.kafka.config import KafkaSettings
from gateway.sinks.kafka.values import arrow_value, avro_value, headers
from gateway.sinks.parts import Part, Refusal, encoded, in_parts, rejections
from gateway.sinks.port import Sink
from headrace.limits.sinks import KAFKA_MESSAGE_OVERHEAD_BYTES

#: Offset of a batch, first row of a part, and its rows: a part is not its first half.
_Key = tuple[int, int, int]


class KafkaSink(Sink):
    """Writes batches to a topic, one message a part of a batch.

    Args:
        site: the header ``headrace.site`` of every message.
    """

    def __init__(self, settings: KafkaSettings, *, site: str) -> None:
        self._cluster = Cluster(settings)
        self._encoding = settings.encoding
        self._site = site
        self._max_bytes = settings.message_max_bytes - KAFKA_MESSAGE_OVERHEAD_BYTES
        self._delivered: set[_Key] = set()
        self._refused: dict[_Key, Refusal] = {}

    def write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        parts, refused = in_parts(entries, self._encode, self._max_bytes)
        waiting, alone = parts, len(parts) == 1
        while waiting:
            waiting = self._send(
                [part for part in waiting if _key(part) not in self._delivered], alone=alone
            )
            alone = True
        refused += self._refused.values()
        self._delivered.clear()
        self._refused.clear()
        return rejections(refused)

    def close(self) -> None:
        self._cluster.close()

    def _send(self, parts: Sequence[Part], *, alone: bool) -> list[Part]:
        """Send once; what has to go again, alone or in smaller parts.

        Raises:
            SinkUnavailable: some are not delivered; those that are, are remembered.
        """
        messages = [self._message(part) for part in parts]
        verdicts, failure = self._cluster.send(messages, alone=alone)
        again: list[Part] = []
        smaller: list[Part] = []
        for place, verdict in sorted(verdicts.items()):
            part = parts[place]
            if verdict == "too_large" and not alone:
                again.append(part)
                continue
            if verdict == "too_large" and part.rows.num_rows > 1:
                smaller += part.halves()
                continue
            self._delivered.add(_key(part))
            if verdict != "delivered":
                reason = verdict if verdict == "too_large" else "refused"
                self._refused[_key(part)] = Refusal(part, reason, f"Kafka: {verdict}")
        if failure is not None:
            raise failure
        fitting, _ = encoded(smaller, self._encode, self._max_bytes)
        return again + fitting

    def _message(self, part: Part) -> Message:
        named = headers(part, site=self._site, encoding=self._encoding)
        return Message(part.entry.device, part.payload, named)

    def _encode(self, part: Part) -> bytes:
        return arrow_value(part) if self._encoding == "arrow" else avro_value(part, site=self._site)


def _key(part: Part) -> _Key:
    return part.entry.offset, part.start, part.rows.num_rows
