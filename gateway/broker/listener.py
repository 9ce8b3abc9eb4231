"""Sockets of the embedded broker: who connects is counted before TLS costs anything.

asyncio's own servers accept whatever comes and begin the handshake; so sockets are accepted here. Who
is over the limits (``crowd``) is closed at once. Who has a place gets some seconds for the TLS
handshake and its first packet; when those waiting there are many, the kernel's queue holds the rest,
and the one that has dawdled longest goes.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gateway.broker.crowd import Crowd
from gateway.broker.streams import BareStream
from headrace.limits.broker import (
    BROKER_BACKLOG,
    BROKER_CONNECT_TIMEOUT_S,
    BROKER_DAWDLE_S,
    BROKER_MAX_KNOCKING,
    BROKER_SPARE_FILES,
)

logger = logging.getLogger(__name__)

#: Pause after the process has run out of descriptors, and between two looks for a place.
_NO_FILES_S: Final = 0.2
_ROOM_POLL_S: Final = 0.01
#: Seconds of silence, probes and seconds between them after which the kernel ends a connection whose
#: other side is gone: for clients that promised no keep-alive.
_TCP_KEEPALIVE: Final = (
    (socket.TCP_KEEPIDLE, 60),
    (socket.TCP_KEEPINTVL, 20),
    (socket.TCP_KEEPCNT, 3),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A connection, TLS behind it."""

    address: str
    stream: BareStream
    #: To be called when it has said who it is.
    admitted: Callable[[], None]


Serve = Callable[[Caller], Awaitable[None]]


class Listener:
    """One port. Several may share one ``crowd``.

    Args:
        serve: what to do with a connection; it is over when that returns.
        refused: told the reason and the address of each that gets no place.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None,
        crowd: Crowd,
        serve: Serve,
        refused: Callable[[str, str], None],
    ) -> None:
        self._context = context
        self._crowd = crowd
        self._serve = serve
        self._refused = refused
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._knocking: dict[asyncio.Task[None], float] = {}

    async def open(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in {(each[0], each[4][:2]) for each in found}:
            listening = socket.create_server(address, family=family, backlog=BROKER_BACKLOG)
            listening.setblocking(False)
            self._sockets.append(listening)
            self._start(self._accept(listening), "broker-listener")

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listening in self._sockets:
            listening.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._place()
            try:
                connection, (address, *_) = await loop.sock_accept(listening)
            except OSError as error:  # gone again, or no descriptors left
                logger.warning("cannot accept a connection: %s", error)
                await asyncio.sleep(_NO_FILES_S)
                continue
            reason = self._crowd.arrives(address, loop.time())
            if reason:
                connection.close()
                self._refused(reason, address)
                # Otherwise a storm of them would keep the event loop from everybody else.
                await asyncio.sleep(0)
                continue
            task = self._start(self._receive(connection, address), f"broker-{address}")
            self._knocking[task] = loop.time()

    async def _place(self) -> None:
        """Wait for a place among those that have not said who they are."""
        while len(self._knocking) >= BROKER_MAX_KNOCKING:
            oldest, since = next(iter(self._knocking.items()))
            if asyncio.get_running_loop().time() - since > BROKER_DAWDLE_S:
                oldest.cancel()
                self._knocking.pop(oldest)
                return
            await asyncio.sleep(_ROOM_POLL_S)

    async def _receive(self, connection: socket.socket, address: str) -> None:
        task, knocks = asyncio.current_task(), True

        def admitted() -> None:
            nonlocal knocks
            if knocks:
                knocks = False
                self._crowd.admitted(address)
            if task is not None:
                self._knocking.pop(task, None)

        stream = None
        try:
            stream = await self._stream(connection)
            await self._serve(Caller(address, stream, admitted))
        except (OSError, TimeoutError) as error:
            self._refused("timeout" if isinstance(error, TimeoutError) else "tls", address)
        finally:
            admitted()
            self._crowd.leaves(address)
            if stream is None:
                connection.close()
            else:
                await _closed(stream.writer)

    async def _stream(self, connection: socket.socket) -> BareStream:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _TCP_KEEPALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=self._context,
            ssl_handshake_timeout=BROKER_CONNECT_TIMEOUT_S if self._context else None,
        )  # fmt: skip
        return BareStream(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def _start(self, work: Awaitable[None], name: str) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._knocking.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            # One connection's fault is not to end the listener.
            logger.error("%s ended by a fault", task.get_name(), exc_info=task.exception())


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Give what is written a moment to leave, and no more."""
    try:
        async with asyncio.timeout(1):
            await writer.drain()
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()


def room_for(wanted: int) -> int:
    """How many connections this process may have, given its limit of open files, which is raised.

    Without descriptors to spare the journal could not open its own files.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + BROKER_SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    room = max(soft - BROKER_SPARE_FILES, soft // 4)
    logger.warning("of %d connections there is room for %d: raise LimitNOFILE", wanted, room)
    return room
