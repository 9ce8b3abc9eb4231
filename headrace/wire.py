"""Small documents of the wire contract: ack, nack, device state, and Arrow metadata keys.

Unknown keys are ignored, so that either side may be newer. Decoding raises ``PayloadError``; the
documents are bounded by ``MAX_DOCUMENT_BYTES`` before they are parsed.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from headrace.errors import PayloadError
from headrace.limits.sizes import KIB
from headrace.limits.wire import MAX_ACK_RANGES
from headrace.ranges import Range

FORMATS: Final = ("arrow", "senml-json", "senml-cbor", "line", "sparkplug")

#: Keys of the Arrow schema metadata.
META_STREAM: Final = "headrace.stream"
META_SEQ: Final = "headrace.seq"
META_BOOT: Final = "headrace.boot"
META_CLOCK: Final = "headrace.clock"
META_UNITS: Final = "headrace.units"

ClockState = Literal["synced", "unsynced"]

MAX_DOCUMENT_BYTES: Final = 64 * KIB


class Ack(msgspec.Struct, frozen=True):
    """These sequence numbers are on the gateway's disk; the device may forget them."""

    stream: str
    ranges: list[tuple[int, int]]


class Nack(msgspec.Struct, frozen=True):
    """These were refused for good and are kept in quarantine; the device may forget them.

    ``ranges`` is empty when the payload was too broken to tell which readings it held; ``crc`` is the
    CRC-32 of the payload as it arrived, so that its sender recognises it all the same.
    """

    stream: str
    ranges: list[tuple[int, int]]
    reason: str
    detail: str = ""
    crc: int = 0


class DeviceState(msgspec.Struct, frozen=True, omit_defaults=False):
    """What a device says of itself, retained on its state topic.

    ``buffered`` and ``sampled`` count readings; ``dropped`` counts readings by reason. ``models``:
    the versions that the device itself runs; None where it runs none, and the gateway may.
    ``certificate``: when the device's certificate ends, microseconds since 1970 UTC, 0 where it has none;
    ``renewal``: why it could not be renewed.
    """

    online: bool
    version: str = ""
    boot: str = ""
    clock: str = ""
    stream: str = ""
    buffered: int = 0
    sampled: int = 0
    dropped: dict[str, int] = {}
    models: dict[str, int] | None = None
    certificate: int = 0
    renewal: str = ""


class ModelDesired(msgspec.Struct, frozen=True):
    """The model repository has changed, as far as the gateway has seen: a hint to look, no more.

    What is to run where is signed, and read from the repository's mirror. ``serial`` is the state
    that the mirror has, so that a device which knows it already does not look for nothing.
    """

    serial: int


_T = TypeVar("_T")


def encode(document: Ack | Nack | DeviceState | ModelDesired) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(document)


def decode(payload: bytes, kind: type[_T]) -> _T:
    """A document of the given kind.

    Raises:
        PayloadError: too large, not JSON, or of another shape.
    """
    if len(payload) > MAX_DOCUMENT_BYTES:
        raise PayloadError(
            "too_large", f"expected at most {MAX_DOCUMENT_BYTES} bytes, got {len(payload)}"
        )
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError("bad_schema", f"not a valid {kind.__name__}: {error}") from error


def payload_crc(payload: bytes) -> int:
    """What ``Nack.crc`` refers to."""
    return zlib.crc32(payload)


def acks(stream: str, ranges: Sequence[Range]) -> list[Ack]:
    """As many acks as the bound on ranges per ack demands."""
    return [
        Ack(stream, list(ranges[at : at + MAX_ACK_RANGES]))
        for at in range(0, len(ranges), MAX_ACK_RANGES)
    ]


def to_json(value: Any) -> str:
    """Compact JSON text with sorted keys: equal values give equal text."""
    return msgspec.json.encode(value, order="sorted").decode()
