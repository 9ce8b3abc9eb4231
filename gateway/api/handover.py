"""From a request to the journal, and the answer back.

The ingest thread calls ``done`` when a payload is on disk, or in quarantine; a request waits for that, on the
event loop. So a 204 stands behind the fsync, and a request that was given up may be on disk all the same:
that is what Idempotency-Keys are for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import Final

from gateway.ingest.arrival import HTTP_SOURCE, Arrival
from gateway.ingest.inbox import Inbox
from headrace.clock import Clock
from headrace.errors import PayloadError, RequestError
from headrace.limits.http import HTTP_COMMIT_S, HTTP_RETRY_AFTER_S

_STATUS: Final = {"too_large": 413, "bomb": 413, "bad_identity": 422}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Puts payloads into the inbox.

    Attributes:
        stalled: whether the journal takes nothing at present.
        keys_full: whether no new Idempotency-Key can be remembered.
        held_s: seconds until a device that is over its limit may go on; 0 for any other.
    """

    inbox: Inbox
    clock: Clock
    stalled: Callable[[], bool]
    keys_full: Callable[[], bool]
    held_s: Callable[[str], float]
    commit_s: float = HTTP_COMMIT_S

    async def deliver(self, parts: Mapping[str, bytes], format_: str, key: bytes | None) -> None:
        """Return when all parts are on disk.

        Args:
            parts: payloads by device.

        Raises:
            RequestError: 429 and 503, it may come again; 400, 413, 422, refused and in quarantine.
        """
        self._check(key)
        self._check_held(parts)
        now_us = self.clock.now_us()
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Future[PayloadError | None]] = []
        arrivals: list[Arrival] = []
        for device, payload in parts.items():
            future: asyncio.Future[PayloadError | None] = loop.create_future()
            waiting.append(future)
            arrivals.append(
                Arrival(
                    device, format_, payload, now_us, HTTP_SOURCE,
                    key=key, answered=False, done=_Done(loop, future),
                )
            )  # fmt: skip
        self.inbox.put(arrivals)
        _, late = await asyncio.wait(waiting, timeout=self.commit_s)
        if late:
            raise _later(503, f"not on disk after {self.commit_s:g} s, and perhaps later")
        errors = [error for future in waiting if (error := future.result()) is not None]
        if errors:
            if errors[0].reason == "over_limit":
                self._check_held(parts)  # since it came: that may not be kept, and may come again
            raise _refused(errors[0], len(errors), len(parts))

    def _check(self, key: bytes | None) -> None:
        if self.stalled():
            raise _later(503, "the journal takes nothing at present (disk full or over its budget)")
        if not self.inbox.has_room:
            raise _later(429, "too much is on its way to the journal")
        if key is not None and self.keys_full():
            raise _later(503, "no more Idempotency-Keys can be remembered at present")

    def _check_held(self, devices: Iterable[str]) -> None:
        for device in devices:
            held_s = self.held_s(device)
            if held_s > 0:
                raise RequestError(
                    429, f"{device} sends more than its limit", retry_after_s=ceil(held_s)
                )


class _Done:
    """Tells the event loop what became of a payload; called by the ingest thread."""

    __slots__ = ("_future", "_loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[PayloadError | None]
    ) -> None:
        self._loop, self._future = loop, future

    def __call__(self, error: PayloadError | None) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits for the answer any more
            self._loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: PayloadError | None) -> None:
        if not self._future.done():
            self._future.set_result(error)


def _later(status: int, message: str) -> RequestError:
    return RequestError(status, message, retry_after_s=HTTP_RETRY_AFTER_S)


def _refused(error: PayloadError, count: int, of: int) -> RequestError:
    message = f"{error.reason}: {error.message}; kept in quarantine"
    if of > 1:
        message += f" ({count} of {of} devices; the others are on disk)"
    return RequestError(_STATUS.get(error.reason, 400), message, hint=error.hint)
