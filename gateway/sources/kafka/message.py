"""A Kafka message as an arrival: whose it is, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.ingest.arrival import KAFKA_SOURCE, Arrival, Done, Place
from gateway.sources.kafka.config import KafkaSourceSettings

Headers = Sequence[tuple[str, str | bytes | None]]


class Message(msgspec.Struct, frozen=True):
    """What the cluster gave, with the offset that names it in its partition.

    A struct of msgspec, as ``Arrival`` is: one is made per message.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def size(self) -> int:
        return len(self.value or b"")


def device_of(settings: KafkaSourceSettings, message: Message) -> str:
    """As the header says, or else the key, put into the template; an id or not, that is seen later."""
    said = _header(message.headers, settings.device_header)
    if said is None:
        said = _text(message.key)
    if settings.device == "{device}":  # as almost always
        return said
    return settings.device.format(device=said, topic=message.topic, partition=message.partition)


def arrival(
    settings: KafkaSourceSettings,
    message: Message,
    device: str,
    place: Place,
    now_us: int,
    done: Done,
) -> Arrival:
    """What the inbox takes, of the device that ``device_of`` told. A message without a value is one that no format can read."""
    named = _header(message.headers, settings.format_header)
    return Arrival(
        device,
        settings.format if named is None else named,
        message.value or b"",
        now_us,
        f"{KAFKA_SOURCE}{message.topic}/{message.partition}/{message.offset}",
        place=place,
        answered=False,
        done=done,
    )


def _header(headers: Headers, name: str) -> str | None:
    if not name:
        return None
    return next((_text(value) for key, value in headers if key == name), None)


def _text(value: str | bytes | None) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value or ""
