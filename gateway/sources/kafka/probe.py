"""Asking a cluster whether it would let the source read, without joining its group (``gateway doctor``)."""

from __future__ import annotations

import logging
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from gateway.kafka_access import Complaints, access_options
from gateway.sources.kafka.cluster import password_of
from gateway.sources.kafka.config import KafkaSourceSettings
from headrace.errors import InputError
from headrace.limits.sources import KAFKA_SOURCE_TIMEOUT_S

logger = logging.getLogger(__name__)

#: What a committed offset is where there is none.
_NOWHERE: Final = 0


def probe(settings: KafkaSourceSettings, group: str) -> str:
    """What there is to read, and how far the group is.

    Raises:
        InputError: the cluster is away or lets nobody in, or a topic is not there.
    """
    complaints = Complaints()
    access = access_options(
        settings, password=password_of(settings), logger=logger, complaints=complaints
    )
    try:
        consumer = Consumer(access | {"group.id": group, "enable.auto.commit": False})
        try:
            return _look(consumer, settings)
        finally:
            consumer.close()
    except KafkaException as error:
        inner = error.args[0] if error.args else None
        why, hint = complaints.take(inner.str() if isinstance(inner, KafkaError) else str(error))
        raise InputError(
            f"Kafka at {settings.brokers}: {why}", hint=hint or "is it running?"
        ) from error


def _look(consumer: Consumer, settings: KafkaSourceSettings) -> str:
    known: dict[str, Any] = consumer.list_topics(timeout=KAFKA_SOURCE_TIMEOUT_S).topics
    missing = [name for name in settings.topics if name not in known or known[name].error]
    if missing:
        raise InputError(
            f"no topic {', '.join(missing)} at {settings.brokers}",
            hint="make it, or correct topics; may this user see it?",
        )
    places = [TopicPartition(name, number) for name in settings.topics for number in known[name].partitions]  # fmt: skip
    begun = consumer.committed(places, timeout=KAFKA_SOURCE_TIMEOUT_S)
    left = 0
    for place in begun:
        first, end = consumer.get_watermark_offsets(place, timeout=KAFKA_SOURCE_TIMEOUT_S)
        left += max(0, end - max(place.offset, first, _NOWHERE))
    return f"{len(places)} partitions of {', '.join(settings.topics)}, some {left:,} messages to read"  # fmt: skip
