"""The workers of a server: as many questions at once as there are workers, the others wait or are refused.

A worker is lent to one question. It comes back when its answer has ended; if it does not end in time
after it was told to, it is killed and another one takes its place. So a question that nobody waits for
any more, or that takes more than it may, costs its own process at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from headrace.errors import RequestError, StorageError
from headrace.limits.query import (
    SERVE_MAX_WAITING,
    SERVE_STOP_S,
    SERVE_WAIT_S,
    WORKER_START_S,
)
from headrace.metrics import Metrics
from headrace.serve import frames
from headrace.serve.frames import Cancel, Frame, Question, Source

log = logging.getLogger(__name__)


class WorkerDied(Exception):
    """A worker ended in the middle of an answer: it was killed, by us or for want of memory."""


@dataclass(slots=True)
class Hand:
    """One worker process as the server sees it."""

    process: asyncio.subprocess.Process
    asked: int = 0  # the id of the question that has no end yet
    is_dead: bool = False
    _reading: asyncio.Task[Frame] | None = None

    @classmethod
    async def start(cls, source: Source) -> Hand:
        """A worker that is ready to be asked.

        Raises:
            StorageError: it did not start; its own words are on stderr.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "headrace.serve.worker", msgspec.json.encode(source).decode(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        hand = cls(process)
        try:
            async with asyncio.timeout(WORKER_START_S):
                await hand.frame()
        except (TimeoutError, WorkerDied) as error:
            await hand.kill()
            raise StorageError(
                "a worker did not start", hint="its reason stands above, in the log"
            ) from error
        return hand

    async def say(self, what: Question | Cancel) -> None:
        """Ask, or say that nobody waits."""
        assert self.process.stdin is not None  # noqa: S101 - asked for above
        try:
            self.process.stdin.write(msgspec.json.encode(what) + b"\n")
            await self.process.stdin.drain()
        except ConnectionError as error:
            self.is_dead = True
            raise WorkerDied from error
        if isinstance(what, Question):
            self.asked = what.id

    async def frame(self) -> Frame:
        """The next frame; who gives up waiting for it leaves it for the next who asks.

        Raises:
            WorkerDied: there is none.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="a worker's frame")
        frame = await asyncio.shield(self._reading)
        self._reading = None
        if frame.kind in (frames.END, frames.ERROR):
            self.asked = 0
        return frame

    async def _read(self) -> Frame:
        assert self.process.stdout is not None  # noqa: S101 - asked for above
        try:
            header = await self.process.stdout.readexactly(frames.HEADER_BYTES)
            kind, length = frames.parse_header(header)
            return Frame(kind, await self.process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.is_dead = True
            raise WorkerDied from error

    async def finish(self) -> None:
        """Bring an answer that nobody reads to its end; kill the worker if that takes long."""
        try:
            async with asyncio.timeout(SERVE_STOP_S):
                if self.asked:
                    await self.say(Cancel(self.asked))
                while self.asked:
                    await self.frame()
        except (TimeoutError, WorkerDied):
            await self.kill()

    async def kill(self) -> None:
        """End the process."""
        self.is_dead = True
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


class Crew:
    """All workers."""

    def __init__(self, source: Source, size: int, metrics: Metrics) -> None:
        self._source = source
        self._size = size
        self._metrics = metrics
        self._free: asyncio.Queue[Hand] = asyncio.Queue()
        self._waiting = 0
        self._renewals: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start all workers.

        Raises:
            StorageError: one did not start.
        """
        for hand in await asyncio.gather(*(Hand.start(self._source) for _ in range(self._size))):
            self._free.put_nowait(hand)

    async def stop(self) -> None:
        """End all workers that are free; the lent ones end with their answers."""
        for task in self._renewals:
            task.cancel()
        while not self._free.empty():
            await self._free.get_nowait().kill()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Hand]:
        """A worker for one question.

        Raises:
            RequestError: 503, all are busy for too long.
        """
        hand = await self._take()
        while hand.process.returncode is not None:  # it died while nobody asked it
            await self._give_back(hand)
            hand = await self._take()
        self._tell()
        try:
            yield hand
        finally:
            # Whatever ends the request must not leave a worker in the middle of an answer.
            await asyncio.shield(self._give_back(hand))

    async def _take(self) -> Hand:
        if self._waiting >= SERVE_MAX_WAITING:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(SERVE_WAIT_S):
                return await self._free.get()
        except TimeoutError as error:
            raise _busy() from error
        finally:
            self._waiting -= 1

    async def _give_back(self, hand: Hand) -> None:
        if not hand.is_dead:
            await hand.finish()
        if hand.is_dead or hand.process.returncode is not None:
            await hand.kill()
            self._metrics.count("killed_workers")
            task = asyncio.create_task(self._renew(), name="a new worker")
            self._renewals.add(task)
            task.add_done_callback(self._renewals.discard)
        else:
            self._free.put_nowait(hand)
        self._tell()

    async def _renew(self) -> None:
        """Start a worker in the place of one that is dead; try again until it stands."""
        while True:
            try:
                self._free.put_nowait(await Hand.start(self._source))
            except StorageError as error:
                log.error("%s", error)
                await asyncio.sleep(SERVE_STOP_S)
            else:
                self._tell()
                return

    def _tell(self) -> None:
        self._metrics.set("running", self._size - self._free.qsize())


def _busy() -> RequestError:
    return RequestError(
        503, "all workers are busy with other questions", retry_after_s=5,
        hint="come again; serve.max_queries says how many there are",
    )  # fmt: skip
