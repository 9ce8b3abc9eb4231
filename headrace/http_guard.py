"""What a connection may do before there is a request: uvicorn's HTTP protocol with bounds.

uvicorn bounds neither headers nor the time for them. Here a connection that has not sent all of a
request's headers in time is told 408 and closed, one whose headers are too large 431, and one source
cannot take all connections. A body that was refused in the middle is read and thrown away for a moment:
most clients look for the answer when they have sent everything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headrace.limits.http import (
    HTTP_HEAD_S,
    HTTP_LINGER_BYTES,
    HTTP_LINGER_S,
    HTTP_MAX_CONNECTIONS_PER_SOURCE,
    HTTP_MAX_HEAD_BYTES,
)

_REASONS: Final = {
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class GuardedProtocol(HttpToolsProtocol):
    """One connection of a listener; ``guarded`` makes a class for each listener."""

    head_s: ClassVar[float] = HTTP_HEAD_S
    linger_s: ClassVar[float] = HTTP_LINGER_S
    max_head_bytes: ClassVar[int] = HTTP_MAX_HEAD_BYTES
    max_per_source: ClassVar[int] = HTTP_MAX_CONNECTIONS_PER_SOURCE
    sources: ClassVar[Counter[str]]

    _timer: asyncio.TimerHandle | None = None
    _source: str | None = None
    _in_body = False
    _advanced = False  # whether the bytes that came last ended a head or a body
    _head_bytes = 0  # as the parser told them
    _wasted_bytes = 0  # of a body that was refused
    _unparsed_bytes = 0  # that came for a head which has not ended

    @staticmethod
    def refused(status: int) -> None:
        """Told what is refused before there is a request."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._count_source()
        if self._source is not None and self.sources[self._source] > self.max_per_source:
            self._end(503)
        else:
            self._set_timer(self.head_s, 408)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._clear_timer()
        if self._source is not None:
            self.sources[self._source] -= 1
            if not self.sources[self._source]:
                del self.sources[self._source]
            self._source = None

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if not self._in_body and self._timer is None:
            self._set_timer(self.head_s, 408)
        self._advanced = False
        super().data_received(data)
        if not self._in_body and not self._advanced:
            # A header that never ends is in the parser, which has said nothing of it yet.
            self._unparsed_bytes += len(data)
            self._check_head(self._unparsed_bytes)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        self._clear_timer()
        self._in_body = self._advanced = True
        self._wasted_bytes = 0
        self._unparsed_bytes = 0
        if self._check_head(self._head_bytes):
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle is None or self.transport.is_closing():
            return
        super().on_body(body)
        if self.cycle.response_complete:
            self._wasted_bytes += len(body)
            if self._wasted_bytes > HTTP_LINGER_BYTES:
                self._end(None)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._advanced = True
        self._clear_timer()
        if self.cycle is not None:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._set_timer(self.linger_s, None)

    def _check_head(self, size: int) -> bool:
        if size <= self.max_head_bytes:
            return True
        if not self.transport.is_closing():
            self._end(431)
        return False

    def _count_source(self) -> None:
        host = self.client[0] if self.client else ""
        try:
            local = ip_address(host).is_loopback
        except ValueError:
            local = True
        if not local:
            self._source = host
            self.sources[host] += 1

    def _set_timer(self, after_s: float, status: int | None) -> None:
        self._clear_timer()
        self._timer = self.loop.call_later(after_s, self._end, status)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, status: int | None) -> None:
        """Close, with an answer where there is one to give."""
        self._clear_timer()
        if self.transport.is_closing():
            return
        if status is not None:
            self.refused(status)
            line = f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
            self.transport.write(
                f"{line}content-length: 0\r\nconnection: close\r\n\r\n".encode("ascii")
            )
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            self.refused(400)
            super().send_400_response(msg)


def guarded(
    refused: Callable[[int], None],
    *,
    head_s: float = HTTP_HEAD_S,
    max_per_source: int = HTTP_MAX_CONNECTIONS_PER_SOURCE,
) -> type[GuardedProtocol]:
    """The protocol of one listener, which counts the connections of each address.

    Args:
        refused: told the status of what is refused before there is a request.
    """
    members = {
        "sources": Counter(),
        "refused": staticmethod(refused),
        "head_s": head_s,
        "max_per_source": max_per_source,
    }
    return type("IngestProtocol", (GuardedProtocol,), members)
