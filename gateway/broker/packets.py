"""What a client of the embedded broker may send: MQTT 3.1.1 packets, well formed and bounded. Pure.

amqtt's parser trusts lengths and fields (read in 0.12.1): it reads a packet of any size into memory,
goes on at the wrong byte after a field that lies about its length, and leaves a connection half alive
after a topic with a wildcard. So every packet is looked at here before amqtt sees it, and the first
one that is wrong ends the connection, as the standard asks. A packet's size and topic are judged
before its payload is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headrace.limits.broker import (
    BROKER_MAX_CONNECT_BYTES,
    BROKER_MAX_SUBSCRIBE_BYTES,
    BROKER_MAX_TOPIC_BYTES,
    BROKER_MAX_TOPIC_LEVELS,
)
from headrace.limits.wire import MAX_PAYLOAD_BYTES

CONNECT: Final = 1
PUBLISH: Final = 3
PUBREL: Final = 6
SUBSCRIBE: Final = 8
UNSUBSCRIBE: Final = 10
#: PUBACK, PUBREC, PUBCOMP: what a client owes for what it was sent.
ANSWERS: Final = (4, 5, 7)

#: By kind of packet: the flags that the standard fixes, and the most bytes after the fixed header.
#: What only a broker sends is not among them.
_KINDS: Final = {
    CONNECT: (0, BROKER_MAX_CONNECT_BYTES),
    4: (0, 2),
    5: (0, 2),
    PUBREL: (2, 2),
    7: (0, 2),
    SUBSCRIBE: (2, BROKER_MAX_SUBSCRIBE_BYTES),
    UNSUBSCRIBE: (2, BROKER_MAX_SUBSCRIBE_BYTES),
    12: (0, 0),
    14: (0, 0),
}
#: Set in the version by which mosquitto says that it connects as a bridge.
_BRIDGE: Final = 0x80
_MAX_PUBLISH: Final = MAX_PAYLOAD_BYTES + BROKER_MAX_TOPIC_BYTES + 4


class BadPacket(Exception):
    """This connection ends; ``reason`` is for the counter, the text for the log."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Header:
    """A packet's first byte and the number of bytes after its fixed header."""

    first: int
    length: int

    @property
    def kind(self) -> int:
        return self.first >> 4

    @property
    def qos(self) -> int:
        return (self.first >> 1) & 3

    @property
    def raw(self) -> bytes:
        """The fixed header as it came, or the shortest that says the same."""
        left, out = self.length, bytearray([self.first])
        while True:
            left, digit = left >> 7, left & 0x7F
            out.append(digit | (0x80 if left else 0))
            if not left:
                return bytes(out)


def check_header(header: Header) -> None:
    """Whether a client may send such a packet, and one of that size."""
    if header.kind == PUBLISH:
        if header.qos == 3:
            raise BadPacket("protocol", "PUBLISH with a QoS of 3")
        _check_size(header, _MAX_PUBLISH)
        return
    try:
        flags, most = _KINDS[header.kind]
    except KeyError:
        raise BadPacket("protocol", f"a packet of kind {header.kind} from a client") from None
    if header.first & 0x0F != flags:
        raise BadPacket("protocol", f"a packet of kind {header.kind} with wrong flags")
    _check_size(header, most)


def _check_size(header: Header, most: int) -> None:
    if header.length > most:
        raise BadPacket(
            "too_large", f"a packet of kind {header.kind} of {header.length} bytes, at most {most}"
        )


def check_topic(raw: bytes, *, filters: bool = False) -> str:
    """A topic to publish on, or with ``filters`` to subscribe to."""
    check_topic_size(len(raw))
    if raw.count(b"/") >= BROKER_MAX_TOPIC_LEVELS:
        raise BadPacket("topic", f"a topic of more than {BROKER_MAX_TOPIC_LEVELS} levels")
    topic = _text(raw)
    if not filters and ("+" in topic or "#" in topic or topic.startswith("$")):
        raise BadPacket("topic", f"nobody may publish on {topic!r}")
    return topic


def check_topic_size(size: int) -> None:
    """Before the topic is read."""
    if not 0 < size <= BROKER_MAX_TOPIC_BYTES:
        raise BadPacket(
            "topic", f"a topic of {size} bytes; 1 to {BROKER_MAX_TOPIC_BYTES} are taken"
        )


def check_body(header: Header, body: bytes) -> None:
    """Whether the rest of a packet, other than PUBLISH, is what its kind says; to the last byte."""
    if header.kind == CONNECT:
        _check_connect(_Fields(body))
    elif header.kind in (SUBSCRIBE, UNSUBSCRIBE):
        _check_filters(_Fields(body), with_qos=header.kind == SUBSCRIBE)
    elif header.length != _KINDS[header.kind][1] or body == b"\0\0":
        raise BadPacket("protocol", f"a packet of kind {header.kind} without a good packet id")


def check_connect_size(header: Header) -> None:
    """The first packet is CONNECT, and small."""
    if header.kind != CONNECT:
        raise BadPacket("protocol", f"its first packet is of kind {header.kind}, not CONNECT")
    check_header(header)


def _check_connect(fields: _Fields) -> None:
    name = fields.string()
    level, flags = fields.byte(), fields.byte()
    fields.take(2)
    if level & _BRIDGE and (name, level & ~_BRIDGE) in ((b"MQTT", 4), (b"MQIsdp", 3)):
        # Told the version is wrong, a bridge comes again as an ordinary client (mosquitto: try_private).
        raise BadPacket("version", "it says that it is a bridge; it may come as an ordinary client")
    if (name, level) not in ((b"MQTT", 4), (b"MQTT", 5), (b"MQIsdp", 3)):
        raise BadPacket("protocol", "CONNECT of no version of MQTT")
    if level != 4:
        raise BadPacket("version", f"it speaks version {level} of MQTT; here it is 3.1.1")
    if flags & 1 or flags >> 3 & 3 == 3:
        raise BadPacket("protocol", "CONNECT with wrong flags")
    _text(fields.string())
    if flags & 0x04:
        check_topic(fields.string())
        fields.string()
    if flags & 0x80:
        _text(fields.string())
    if flags & 0x40:
        fields.string()
    fields.end()


def _check_filters(fields: _Fields, *, with_qos: bool) -> None:
    if fields.take(2) == b"\0\0":
        raise BadPacket("protocol", "a packet id of 0")
    while True:
        check_topic(fields.string(), filters=True)
        if with_qos and fields.byte() > 2:
            raise BadPacket("protocol", "a subscription with a QoS above 2")
        if fields.done:
            return


class _Fields:
    """The fields of a packet, taken one after the other."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._body)

    def take(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        if len(found) < count:
            raise BadPacket("protocol", "a packet that is shorter than its fields")
        self._at += count
        return found

    def byte(self) -> int:
        return self.take(1)[0]

    def string(self) -> bytes:
        return self.take(int.from_bytes(self.take(2)))

    def end(self) -> None:
        if not self.done:
            raise BadPacket("protocol", "a packet that is longer than its fields")


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise BadPacket("protocol", "text that is not UTF-8") from None
    if "\0" in text:
        raise BadPacket("protocol", "text with a zero character")
    return text
