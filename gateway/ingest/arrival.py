"""What every way in hands over: a payload, whose it is, and who is told what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from headrace.errors import PayloadError

#: Called once by the ingest thread: with None when the payload is on disk, or with the reason why it
#: was refused for good (then it is in quarantine, on disk as well). It must neither block nor raise.
Done = Callable[[PayloadError | None], None]

#: ``Arrival.source`` of what came by HTTP.
HTTP_SOURCE: Final = "http"

#: How ``Arrival.source`` begins for a message of Kafka: ``kafka:<topic>/<partition>/<offset>``.
KAFKA_SOURCE: Final = "kafka:"


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a message stands in a numbered source, a Kafka partition for example.

    Attributes:
        stream: names the source for life.
        first, last: the numbers up to the message's own (``last``, from 1) that no other message has:
            a source may leave numbers out, and what is seen of it should be one range.
    """

    stream: str
    first: int
    last: int


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A payload as a way in received it, not decoded yet.

    A struct of msgspec, because one is made per message: a frozen dataclass takes 15 times as long.

    Attributes:
        device, format: whose readings these are and how they are written, as the sender says.
        received_at: microseconds since 1970 UTC.
        source: where it came in, for people who look at the quarantine: an MQTT topic, "http", …
        stream, first_seq: the identity that the way in vouches for, where a payload has none of its
            own (an Idempotency-Key, a place in a Kafka partition).
        key: what a repetition is told by (a hash of an Idempotency-Key), where neither payload nor way
            in number the readings (gateway/journal/keys.py).
        place: where it stands in its source: a message whose place was seen is known already, whatever is
            in it and whoever's it is.
        answered: whether acks and nacks go out on the device's MQTT topics.
        done: tells the way in what became of the payload.
        may_wait: whether it may wait while its device is over its limit. Not where others would wait
            behind it: an external broker has so many messages in flight to us, whoever sent them.
    """

    device: str
    format: str
    payload: bytes
    received_at: int
    source: str = ""
    stream: str | None = None
    first_seq: int = 1
    key: bytes | None = None
    place: Place | None = None
    answered: bool = True
    done: Done | None = None
    may_wait: bool = True
