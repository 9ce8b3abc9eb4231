"""Kafka for Spark without a connector's jar: a data source in Python over confluent-kafka.

The same rows as Spark's own ``kafka`` source, so either can stand before ``stream.py``: key, value, topic,
partition, offset, timestamp, headers. Offsets are Spark's, in its checkpoint; no consumer group is joined. Each
partition of the topic is read by a task. Where the jar can be had, it is the faster one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition

SCHEMA: Final = (
    "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp, "
    "headers array<struct<key: string, value: binary>>"
)

#: Seconds that the cluster has to answer, and that a task waits for a message that must be there.
TIMEOUT_S: Final = 30.0


class Range(InputPartition):
    """Offsets of one partition; the last is exclusive."""

    def __init__(self, partition: int, first: int, end: int) -> None:
        super().__init__(partition)
        self.partition, self.first, self.end = partition, first, end


class KafkaSource(DataSource):
    """``format("headrace_kafka")`` with the options ``brokers``, ``topic`` and, per ``kafka.<key>``, the client's."""

    @classmethod
    def name(cls) -> str:
        return "headrace_kafka"

    def schema(self) -> str:
        return SCHEMA

    def streamReader(self, schema: Any) -> KafkaReader:  # noqa: N802 - Spark's name
        return KafkaReader(dict(self.options))


class KafkaReader(DataSourceStreamReader):
    """Ranges of offsets, and what is in them."""

    def __init__(self, options: dict[str, str]) -> None:
        self._topic = options["topic"]
        more = {key[6:]: value for key, value in options.items() if key.startswith("kafka.")}
        self._client = {
            "bootstrap.servers": options["brokers"], "group.id": "headrace-spark",
            "enable.auto.commit": False, "enable.partition.eof": True, "log_level": 2, **more,
        }  # fmt: skip

    def initialOffset(self) -> dict[str, int]:  # noqa: N802
        return {partition: low for partition, (low, _) in self._bounds().items()}

    def latestOffset(self) -> dict[str, int]:  # noqa: N802
        return {partition: high for partition, (_, high) in self._bounds().items()}

    def partitions(self, start: dict[str, int], end: dict[str, int]) -> list[Range]:
        ranges = [Range(int(each), start.get(each, 0), last) for each, last in end.items()]
        return [each for each in ranges if each.first < each.end]

    def read(self, partition: Range) -> Iterator[tuple[Any, ...]]:
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer(self._client)
        try:
            consumer.assign([TopicPartition(self._topic, partition.partition, partition.first)])
            yield from self._messages(consumer, partition)
        finally:
            consumer.close()

    def _messages(self, consumer: Any, wanted: Range) -> Iterator[tuple[Any, ...]]:
        from confluent_kafka import KafkaError, KafkaException

        while True:
            message = consumer.poll(TIMEOUT_S)
            if message is None:
                raise TimeoutError(f"{self._topic}[{wanted.partition}]: nothing for {TIMEOUT_S} s")
            if message.error() is not None:
                if message.error().code() == KafkaError._PARTITION_EOF:
                    return  # offsets that a compacted topic has no messages for
                raise KafkaException(message.error())
            if message.offset() >= wanted.end:
                return
            yield _row(message)
            if message.offset() == wanted.end - 1:
                return

    def _bounds(self) -> dict[str, tuple[int, int]]:
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer(self._client)
        try:
            found = consumer.list_topics(self._topic, timeout=TIMEOUT_S).topics[self._topic]
            return {
                str(number): consumer.get_watermark_offsets(
                    TopicPartition(self._topic, number), timeout=TIMEOUT_S
                )
                for number in found.partitions
            }
        finally:
            consumer.close()


def _row(message: Any) -> tuple[Any, ...]:
    when = datetime.fromtimestamp(message.timestamp()[1] / 1e3, UTC)
    return (
        message.key(), message.value(), message.topic(), message.partition(), message.offset(),
        when, message.headers() or [],
    )  # fmt: skip
