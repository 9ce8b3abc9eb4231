"""A request's body in bounded memory: how much one may have, how much all, and how long it may take."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import zstandard

from headrace.errors import RequestError
from headrace.limits.http import (
    HTTP_BODY_S,
    HTTP_MAX_BODIES_BYTES,
    HTTP_RETRY_AFTER_S,
    HTTP_UNPACK_INLINE_BYTES,
)
from headrace.limits.wire import MAX_PAYLOAD_BYTES

#: zlib's window of 32 KiB, behind a gzip header.
_GZIP: Final = 16 + zlib.MAX_WBITS

#: Members or frames of one body. Clients send one; thousands of empty ones would cost seconds.
_MAX_MEMBERS: Final = 100

#: Bytes of a zstd frame that are unpacked at a time: four may become 128 KiB, and nothing bounds what
#: comes out of one step.
_ZSTD_STEP: Final = 256


class Budget:
    """Bytes of all requests that are here; used by one thread."""

    def __init__(self, max_bytes: int = HTTP_MAX_BODIES_BYTES) -> None:
        self._max_bytes = max_bytes
        self.used = 0

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """A share for one request, given back when the block ends."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            self.used -= lease.taken

    def take(self, size: int) -> None:
        """Raises:
        RequestError: 429, others have it all.
        """
        if self.used + size > self._max_bytes:
            raise RequestError(
                429, "too much is on its way to the journal", retry_after_s=HTTP_RETRY_AFTER_S
            )
        self.used += size


class Lease:
    """What one request has taken of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.taken = 0

    def grow(self, size: int) -> None:
        self._budget.take(size)
        self.taken += size


async def read_body(
    chunks: AsyncIterator[bytes], declared: str | None, lease: Lease, within_s: float = HTTP_BODY_S
) -> bytes:
    """The body as it was sent.

    Args:
        declared: the header Content-Length, where there is one.

    Raises:
        RequestError: 413 too large, known before it is read where it is declared; 408 too slow; 429.
    """
    # The parser has seen to it that it is a number; an absurd one is too large, too.
    if declared is not None and declared.isdecimal() and int(declared[:20]) > MAX_PAYLOAD_BYTES:
        raise _too_large(f"{declared[:20]} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            async for chunk in chunks:
                size += len(chunk)
                if size > MAX_PAYLOAD_BYTES:
                    raise _too_large("more")
                lease.grow(len(chunk))
                parts.append(chunk)
    except TimeoutError as error:
        raise RequestError(408, f"the body was not here within {within_s:g} s") from error
    return b"".join(parts)


async def unpack(body: bytes, encoding: str, lease: Lease) -> bytes:
    """The body without its Content-Encoding.

    Raises:
        RequestError: 415 for another encoding, 400 for a broken one, 413 for what grows too large, 429.
    """
    if encoding in ("", "identity"):
        return body
    function = {"gzip": _gunzip, "x-gzip": _gunzip, "zstd": _unzstd}.get(encoding)
    if function is None:
        raise RequestError(415, f"Content-Encoding {encoding[:40]!r}: expected gzip or zstd")
    if len(body) > HTTP_UNPACK_INLINE_BYTES:
        plain = await asyncio.to_thread(function, body)
    else:
        plain = function(body)
    lease.grow(len(plain))
    return plain


def _gunzip(body: bytes) -> bytes:
    parts: list[bytes] = []
    room = MAX_PAYLOAD_BYTES + 1
    try:
        for _ in range(_MAX_MEMBERS):
            member = zlib.decompressobj(_GZIP)
            parts.append(member.decompress(body, room))
            room -= len(parts[-1])
            if room == 0:
                raise _too_large("more when unpacked")
            if not member.eof:
                raise RequestError(400, "the gzip stream is cut off")
            body = member.unused_data
            if not body:
                return b"".join(parts)
    except zlib.error as error:
        raise RequestError(400, f"not a gzip stream: {error}") from error
    raise RequestError(400, f"expected at most {_MAX_MEMBERS} gzip members, got more")


def _unzstd(body: bytes) -> bytes:
    # The frame may demand a window of any size; what it holds would be too large then.
    unpacker = zstandard.ZstdDecompressor(max_window_size=2 * MAX_PAYLOAD_BYTES)
    parts: list[bytes] = []
    at = size = 0
    try:
        for _ in range(_MAX_MEMBERS):
            frame = unpacker.decompressobj()
            while at < len(body) and not frame.eof:
                step = body[at : at + _ZSTD_STEP]
                parts.append(frame.decompress(step))
                at += len(step)
                size += len(parts[-1])
                if size > MAX_PAYLOAD_BYTES:
                    raise _too_large("more when unpacked")
            if not frame.eof:
                raise RequestError(400, "the zstd stream is cut off")
            at -= len(frame.unused_data)
            if at == len(body):
                return b"".join(parts)
    except zstandard.ZstdError as error:
        raise RequestError(400, f"not a zstd stream: {error}") from error
    raise RequestError(400, f"expected at most {_MAX_MEMBERS} zstd frames, got more")


def _too_large(got: str) -> RequestError:
    return RequestError(
        413, f"a request may have {MAX_PAYLOAD_BYTES} bytes, packed and unpacked, got {got}",
        hint="send smaller batches",
    )  # fmt: skip
