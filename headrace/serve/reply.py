"""One question's way from a worker to whoever asked.

The first pieces of an answer are held back until it ends or they are ``SERVE_FRAME_BYTES``: so what goes
wrong early has a status, and a small answer has a length. What goes wrong later cuts the connection off
in the middle of the body, which every client takes for what it is: no part of an answer ever looks like
the whole.

While a worker works, the connection is listened to. When its other end goes away, the worker is told
(``crew``), and is free again within moments.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

import msgspec

from headrace.errors import RequestError
from headrace.limits.query import (
    SERVE_FRAME_BYTES,
    SERVE_SEND_S,
    SERVE_STALL_S,
    SERVE_STOP_S,
)
from headrace.metrics import Metrics
from headrace.serve import frames
from headrace.serve.answers import refusal
from headrace.serve.crew import Crew, Hand, WorkerDied
from headrace.serve.frames import Frame, Head, Problem, Question
from headrace.serve.request import CONTENT_TYPES

log = logging.getLogger(__name__)

_STATUS: Final = {"wrong": 400, "limit": 422, "away": 503, "failed": 500}


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Reply:
    """An answer as an ASGI application, which it is to Starlette."""

    def __init__(self, crew: Crew, question: Question, metrics: Metrics) -> None:
        self._crew = crew
        self._question = question
        self._metrics = metrics
        self._has_started = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        started = time.monotonic()
        gone = asyncio.create_task(_gone(receive), name="listening for the client")
        status = 499
        try:
            async with self._crew.lend() as hand:
                status = await self._answer(hand, gone, send)
        except RequestError as error:
            status = error.status
            await refusal(error)(scope, receive, send)
        except ClientGone:
            log.info("nobody waits any more: stopped", extra={"question": self._question.id})
        finally:
            gone.cancel()
            self._metrics.count("requests", status=str(status))
            self._metrics.observe("seconds", time.monotonic() - started)

    async def _answer(self, hand: Hand, gone: asyncio.Task[None], send: Any) -> int:
        """Ask and pass on.

        Raises:
            RequestError: no answer, and nothing of one has gone out.
            ClientGone: it went away.
        """
        own_s = self._question.max_seconds + SERVE_STOP_S
        try:
            await hand.say(self._question)
            async with asyncio.timeout(own_s):
                head, held, is_whole = await self._first(hand, gone)
            await self._start(head, held, is_whole, send)
            if not is_whole:
                async with asyncio.timeout(own_s + SERVE_SEND_S):
                    await self._rest(hand, gone, send)
        except (WorkerDied, TimeoutError) as error:
            await hand.kill()
            if self._has_started:
                is_late = isinstance(error, TimeoutError)
                return self._cut("it took too long" if is_late else "the worker died")
            what = (
                "took too long"
                if isinstance(error, TimeoutError)
                else "needed more than it may have"
            )
            raise RequestError(
                422, f"the statement {what} and was ended with its process",
                hint="ask for less: fewer devices, a shorter time, an aggregate",
            ) from error  # fmt: skip
        except _Broken as error:
            return self._cut(str(error))
        return 200

    async def _first(self, hand: Hand, gone: asyncio.Task[None]) -> tuple[Head, bytes, bool]:
        """What was read, the first pieces, and whether they are the whole."""
        head, held = Head(0, 0, 0), bytearray()
        while len(held) < SERVE_FRAME_BYTES:
            frame = await _or_gone(hand, gone)
            match frame.kind:
                case frames.HEAD:
                    head = msgspec.json.decode(frame.content, type=Head)
                case frames.DATA:
                    held += frame.content
                case frames.END:
                    return head, bytes(held), True
                case frames.ERROR:
                    problem = self._problem(frame)
                    raise RequestError(_STATUS[problem.kind], problem.message)
        return head, bytes(held), False

    async def _start(self, head: Head, held: bytes, is_whole: bool, send: Any) -> None:
        headers = {
            "content-type": CONTENT_TYPES[self._question.format],
            "headrace-files-read": str(head.files),
            "headrace-files-skipped": str(head.skipped),
            "headrace-tail-readings": str(head.tail),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        if is_whole:
            headers["content-length"] = str(len(held))
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._has_started = True
        self._metrics.count("read_files", head.files)
        self._metrics.count("skipped_files", head.skipped)
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await self._send(send, held, more=not is_whole)

    async def _rest(self, hand: Hand, gone: asyncio.Task[None], send: Any) -> None:
        while True:
            frame = await _or_gone(hand, gone)
            match frame.kind:
                case frames.DATA:
                    await self._send(send, frame.content, more=True)
                case frames.END:
                    return await self._send(send, b"", more=False)
                case frames.ERROR:
                    raise _Broken(self._problem(frame).message)

    def _problem(self, frame: Frame) -> Problem:
        problem = msgspec.json.decode(frame.content, type=Problem)
        if problem.detail:
            log.error("%s", problem.detail, extra={"question": self._question.id})
        return problem

    async def _send(self, send: Any, content: bytes, *, more: bool) -> None:
        """One piece; who takes nothing for a while does not keep a worker from others."""
        self._metrics.count("sent_bytes", len(content))
        try:
            async with asyncio.timeout(SERVE_STALL_S):
                await send({"type": "http.response.body", "body": content, "more_body": more})
        except TimeoutError as error:
            raise _Broken(f"who asked took nothing of it for {SERVE_STALL_S:g} s") from error

    def _cut(self, why: str) -> int:
        """Leave the body without its end: uvicorn closes the connection then."""
        log.warning("an answer was cut off: %s", why, extra={"question": self._question.id})
        return 500


class _Broken(Exception):
    """An answer that has begun has no end."""


async def _gone(receive: Any) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _or_gone(hand: Hand, gone: asyncio.Task[None]) -> Frame:
    """The worker's next frame.

    Raises:
        ClientGone: before it came.
    """
    frame = asyncio.create_task(hand.frame(), name="waiting for a frame")
    try:
        await asyncio.wait({frame, gone}, return_when=asyncio.FIRST_COMPLETED)
        if frame.done():
            return frame.result()
    finally:
        frame.cancel()
    raise ClientGone
