"""What a worker and the server say to each other, over the worker's standard input and output.

To the worker, a JSON line each: a ``Question``, or a ``Cancel`` of one. From it, frames: a byte that says
what it is, four of length, and the content. An answer is one ``HEAD``, any number of ``DATA`` and one
``END``; or an ``ERROR`` at any place of these, which ends it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import msgspec

READY: Final = b"R"
HEAD: Final = b"H"
DATA: Final = b"D"
END: Final = b"Z"
ERROR: Final = b"E"

_HEADER: Final = struct.Struct(">cI")
HEADER_BYTES: Final = _HEADER.size


class Source(msgspec.Struct, frozen=True):
    """Where a worker finds its settings: a serve.toml, or a data folder."""

    config: str = ""
    data: str = ""


class Question(msgspec.Struct, frozen=True, tag="question"):
    """One statement; ``format`` is a key of ``query.output.FORMATS``."""

    id: int
    sql: str
    params: dict[str, Any] | list[Any] | None
    format: str
    max_rows: int
    max_seconds: float


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Nobody waits for the answer any more."""

    id: int


class Head(msgspec.Struct, frozen=True):
    """What was read for an answer."""

    files: int
    skipped: int
    tail: int
    notes: tuple[str, ...] = ()


class Problem(msgspec.Struct, frozen=True):
    """Why there is no answer, or no more of it: ``wrong``, ``limit``, ``away`` or ``failed``.

    ``detail`` is for the server's log, and never for who asked.
    """

    kind: str
    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it was read."""

    kind: bytes
    content: bytes


def put(out: BinaryIO, kind: bytes, content: bytes | memoryview = b"") -> None:
    """Write a frame and flush it."""
    out.write(_HEADER.pack(kind, len(content)))
    out.write(content)
    out.flush()


def parse_header(header: bytes) -> tuple[bytes, int]:
    """Kind and length of the content behind it."""
    kind, length = _HEADER.unpack(header)
    return bytes(kind), int(length)
