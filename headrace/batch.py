"""What a batch is called: (device, stream, first seq, last seq).

A reading has a name for life, (device, stream, seq). ``stream`` is a random id that a device's
buffer gets when it is created; ``seq`` counts from 1 inside it without holes. Readings that arrive
without a name (SenML without stream and seq, line protocol) get one from the gateway, in a stream
whose id starts with ``gw-``: from there on they are exactly-once too, but what the sender repeated
before that cannot be told from new readings. So the ``gw-`` marks "possible duplicates".
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Final

from headrace.errors import PayloadError

DEVICE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_DEVICE = re.compile(DEVICE_PATTERN)
_STREAM = re.compile(r"[0-9a-f]{16}")
GATEWAY_STREAM_PREFIX: Final = "gw-"

#: Sequence numbers are SQLite integers and Iceberg longs.
MAX_SEQ: Final = 2**62


@dataclass(frozen=True, slots=True)
class BatchId:
    """The identity of a batch: rows ``first_seq..last_seq`` (inclusive) of one device's stream."""

    device: str
    stream: str
    first_seq: int
    last_seq: int

    @property
    def rows(self) -> int:
        return self.last_seq - self.first_seq + 1

    def __str__(self) -> str:
        return f"{self.device}/{self.stream}/{self.first_seq}-{self.last_seq}"


def new_stream_id() -> str:
    """A random id of 16 hex digits: two streams of a fleet collide once in 2^32 streams."""
    return secrets.token_hex(8)


def new_gateway_stream_id() -> str:
    """An id for readings that the gateway has to number itself."""
    return GATEWAY_STREAM_PREFIX + secrets.token_hex(8)


def is_device_id(text: str) -> bool:
    """Whether ``text`` may be a device's id (it becomes a topic level, a tag and a file name)."""
    return _DEVICE.fullmatch(text) is not None


def check_stream_and_seq(stream: str, first_seq: int, rows: int) -> None:
    """Refuse an identity that a device must not use.

    Raises:
        PayloadError: ``bad_identity``.
    """
    if not _STREAM.fullmatch(stream):
        raise PayloadError(
            "bad_identity", f"stream must be 16 lower-case hex digits, got {stream[:40]!r}"
        )
    if not 1 <= first_seq <= MAX_SEQ - rows:
        raise PayloadError("bad_identity", f"seq must be from 1 to 2^62, got {first_seq}")
