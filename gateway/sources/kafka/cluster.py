"""The connection to a cluster: a member of a consumer group, and what its topics are called for life.

A topic that was deleted and made again has the same name and the same offsets, and other messages: only
its id (Kafka 2.8 and newer) tells. So no message is taken before the id is known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient

from gateway.kafka_access import Complaints, access_options
from gateway.sources.kafka.config import KafkaSourceSettings
from gateway.sources.kafka.message import Message
from headrace.errors import InputError
from headrace.limits.sources import (
    KAFKA_SOURCE_CHUNK_MESSAGES,
    KAFKA_SOURCE_FETCH_KIB,
    KAFKA_SOURCE_HEARTBEAT_S,
    KAFKA_SOURCE_SESSION_S,
    KAFKA_SOURCE_TIMEOUT_S,
)

logger = logging.getLogger(__name__)

#: (topic, partition)
Key = tuple[str, int]


class Member:
    """One life of a consumer; used by one thread.

    Args:
        assigned, revoked: called by ``take`` when partitions come and go.

    Raises:
        InputError: cluster or topics are away.
    """

    def __init__(
        self,
        settings: KafkaSourceSettings,
        group: str,
        *,
        assigned: Callable[[Iterable[Key]], None],
        revoked: Callable[[Iterable[Key]], None],
    ) -> None:
        self._brokers = settings.brokers
        self._complaints = Complaints()
        access = self._access(settings)
        self.topic_ids = self._find_ids(access, settings)
        try:
            self._consumer = Consumer(access | _consumer_options(settings, group))
        except KafkaException as error:
            raise self._unavailable(error, "look at consumer_settings") from error

        def on_assign(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
            assigned((each.topic, each.partition) for each in partitions)

        def on_revoke(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
            revoked((each.topic, each.partition) for each in partitions)

        self._consumer.subscribe(list(settings.topics), on_assign=on_assign, on_revoke=on_revoke)

    def take(self, timeout_s: float) -> list[Message]:
        """What has come; also keeps us in the group.

        Raises:
            InputError: the cluster is away, or does not let us read.
        """
        try:
            found = self._consumer.consume(KAFKA_SOURCE_CHUNK_MESSAGES, timeout_s)
        except KafkaException as error:
            raise self._unavailable(error) from error
        return [self._message(each) for each in found]

    def pause(self, wanted: bool) -> None:
        """Take nothing more for now, or again."""
        partitions = self._consumer.assignment()
        try:
            (self._consumer.pause if wanted else self._consumer.resume)(partitions)
        except KafkaException as error:
            raise self._unavailable(error) from error

    def commit(self, offsets: Mapping[Key, int], *, wait: bool) -> None:
        """Where to go on from. One that gets lost costs messages that come again, and are known."""
        where = [TopicPartition(*key, offset) for key, offset in offsets.items()]
        try:
            if wait:
                self._consumer.commit(offsets=where, asynchronous=False)
            else:
                self._consumer.commit(offsets=where, asynchronous=True)
        except KafkaException as error:
            logger.debug("commit at Kafka: %s", error)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _message(self, found: KafkaMessage) -> Message:
        error = found.error()
        if error is not None:
            raise self._unavailable(KafkaException(error))
        headers = found.headers() or ()
        pairs = tuple(headers.items() if isinstance(headers, dict) else headers)
        return Message(
            found.topic() or "", found.partition() or 0, found.offset() or 0,
            found.key(), found.value(), pairs,
        )  # fmt: skip

    def _find_ids(self, access: dict[str, Any], settings: KafkaSourceSettings) -> dict[str, str]:
        if not settings.topic_ids:
            return {}
        wanted = TopicCollection(list(settings.topics))
        # Kept by name: it takes its requests with it when it goes.
        admin = AdminClient(access)
        try:
            asked = admin.describe_topics(wanted, request_timeout=KAFKA_SOURCE_TIMEOUT_S)
            return {name: str(each.result(KAFKA_SOURCE_TIMEOUT_S + 1).topic_id) for name, each in asked.items()}  # fmt: skip
        except (KafkaException, TimeoutError) as error:
            admin.poll(0)  # hears complaints, which it keeps to itself otherwise
            hint = "make the topics; set topic_ids = false if the cluster is older than Kafka 2.8"
            raise self._unavailable(error, hint) from error

    def _unavailable(self, error: Exception, hint: str = "") -> InputError:
        inner = error.args[0] if error.args else None
        why = inner.str() if isinstance(inner, KafkaError) else str(error) or "no answer"
        why, said = self._complaints.take(why)
        return InputError(f"Kafka at {self._brokers}: {why}", hint=said or hint)

    def _access(self, settings: KafkaSourceSettings) -> dict[str, Any]:
        return access_options(
            settings, password=password_of(settings), logger=logger, complaints=self._complaints
        )


def _consumer_options(settings: KafkaSourceSettings, group: str) -> dict[str, Any]:
    return {
        "session.timeout.ms": round(KAFKA_SOURCE_SESSION_S * 1_000),
        "heartbeat.interval.ms": round(KAFKA_SOURCE_HEARTBEAT_S * 1_000),
        "queued.max.messages.kbytes": KAFKA_SOURCE_FETCH_KIB,
        "fetch.message.max.bytes": KAFKA_SOURCE_FETCH_KIB * 1024,
        **settings.consumer_settings,
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": settings.start,
    }


def password_of(settings: KafkaSourceSettings) -> str:
    """What stands in the password file; empty where there is none."""
    path = settings.password_file
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the secret in {path} cannot be read: {error}") from error
