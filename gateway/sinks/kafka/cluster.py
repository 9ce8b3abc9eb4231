"""The connection to a Kafka cluster: messages out, a delivery report for each back.

The producer is idempotent and waits for all replicas, so a message that is reported as delivered is
there once and durably. A producer that has failed is thrown away with what it still held: what it
had not reported is sent again by the next, and a reader can tell it (``values``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from gateway.kafka_access import Complaints, access_options
from gateway.sinks.kafka.config import KafkaSettings
from gateway.sinks.kafka.values import Headers
from gateway.sinks.secret import read_secret
from headrace.errors import SinkUnavailable
from headrace.limits.sinks import KAFKA_QUEUE_MAX_BYTES
from headrace.limits.sizes import KIB

logger = logging.getLogger(__name__)

#: What is lost by one message and cannot be helped by another try.
_TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
_REFUSED: Final = frozenset({KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD})

_HINTS: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "give this user write permission on the topic",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "create the topic, or set create_topic = true",
    KafkaError._UNKNOWN_TOPIC: "create the topic, or set create_topic = true",
    KafkaError.INVALID_REPLICATION_FACTOR: "set replication to at most the number of brokers",
}

Verdict = Literal["delivered", "too_large", "refused"]


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out; messages of one key stay in order."""

    key: str
    value: bytes
    headers: Headers


@dataclass(slots=True)
class _Reports:
    """What became of each message of one call, by its place."""

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    failure: KafkaError | None = None

    def add(self, place: int, error: KafkaError | None) -> None:
        if error is None:
            self.verdicts[place] = "delivered"
        elif error.code() in _TOO_LARGE:
            self.verdicts[place] = "too_large"
        elif error.code() in _REFUSED:
            self.verdicts[place] = "refused"
        else:
            self.failure = error


class Cluster:
    """Connects when it is first needed, and again after a failure; used by one thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Producer | None = None
        self._complaints = Complaints()

    def send(
        self, messages: Sequence[Message], *, alone: bool = False
    ) -> tuple[dict[int, Verdict], SinkUnavailable | None]:
        """Send in order and wait for the reports.

        Args:
            alone: each in a request of its own, so that its verdict is about itself.

        Returns: the verdict by the message's place, and why those without one are kept.
        """
        reports = _Reports()
        try:
            producer = self._connected()
            if alone:
                for place, message in enumerate(messages):
                    self._produce(producer, {place: message}, reports)
            else:
                self._produce(producer, dict(enumerate(messages)), reports)
        except KafkaException as error:
            reports.failure = error.args[0]
        if len(reports.verdicts) == len(messages):
            return reports.verdicts, None
        self._throw_away(reports)
        return reports.verdicts, self._unavailable(reports.failure)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def _produce(
        self, producer: Producer, messages: Mapping[int, Message], reports: _Reports
    ) -> None:
        deadline = time.monotonic() + self._settings.timeout_s
        for place, message in messages.items():
            if reports.failure is not None:
                return
            self._produce_one(producer, place, message, reports, deadline)
            producer.poll(0)
        # The producer gives up by itself after timeout_s; this only waits for it to say so.
        producer.flush(max(0.0, deadline - time.monotonic()) + 1.0)

    def _produce_one(
        self, producer: Producer, place: int, message: Message, reports: _Reports, deadline: float
    ) -> None:
        def on_delivery(error: KafkaError | None, _message: object) -> None:
            reports.add(place, error)

        while True:
            try:
                producer.produce(
                    self._settings.topic, message.value, message.key, headers=message.headers,
                    on_delivery=on_delivery,
                )  # fmt: skip
            except BufferError:
                if time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None
                producer.poll(0.1)
            except KafkaException as error:
                reports.add(place, error.args[0])
                return
            else:
                return

    def _connected(self) -> Producer:
        if self._producer is None:
            options = self._options()
            admin = AdminClient(options)
            try:
                _ensure_topic(admin, self._settings)
            finally:
                admin.poll(0)  # hears complaints, which it keeps to itself otherwise
            self._producer = Producer(options | self._producer_options())
        return self._producer

    def _throw_away(self, reports: _Reports) -> None:
        if self._producer is None:
            return
        failure = reports.failure
        self._producer.purge()
        self._producer.poll(0)
        reports.failure = failure
        self._producer = None

    def _unavailable(self, failure: KafkaError | None) -> SinkUnavailable:
        reason = failure.str() if failure is not None else "no delivery report in time"
        reason, hint = self._complaints.take(reason)
        known = _HINTS.get(failure.code(), "") if failure is not None else ""
        return SinkUnavailable(f"Kafka at {self._settings.brokers}: {reason}", hint=known or hint)

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        password = read_secret(settings.password_file)
        access = access_options(
            settings, password=password, logger=logger, complaints=self._complaints
        )
        return access | {"socket.timeout.ms": round(settings.timeout_s * 1_000)}

    def _producer_options(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": settings.compression,
            "message.max.bytes": settings.message_max_bytes,
            "message.timeout.ms": round(settings.timeout_s * 1_000),
            "queue.buffering.max.kbytes": KAFKA_QUEUE_MAX_BYTES // KIB,
            "linger.ms": 5,
            # As the Java clients do it, so that others' keys land on the same partitions.
            "partitioner": "murmur2_random",
        }


def _ensure_topic(admin: AdminClient, settings: KafkaSettings) -> None:
    """Make the topic where it is missing and that is wanted.

    Raises:
        KafkaException: the cluster does not answer, or does not want to.
    """
    known = admin.list_topics(timeout=settings.timeout_s).topics
    if settings.topic in known or not settings.create_topic:
        return
    topic = NewTopic(
        settings.topic, num_partitions=settings.partitions,
        replication_factor=settings.replication or -1, config=dict(settings.topic_settings),
    )  # fmt: skip
    made = admin.create_topics([topic], request_timeout=settings.timeout_s)[settings.topic]
    try:
        made.result(settings.timeout_s + 1.0)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
    except TimeoutError:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None
    logger.info("made topic %s with %d partitions", settings.topic, settings.partitions)
