"""The paths of the endpoint.

| path | what |
|---|---|
| ``POST /api/v1/sql`` | one statement, as JSON or plain text |
| ``GET /api/v1/readings`` | readings of a device and its names, for those who do not write SQL |
| ``GET /api/v1/latest`` | the newest reading of each series |
| ``GET /api/v1/devices`` | devices with the time of their newest reading |
| ``GET /api/v1/tables`` | the views and their columns |
| ``GET /metrics`` | for Prometheus, with a token like the others |
| ``GET /healthz``, ``/``, ``/openapi.json`` | without a token: whether somebody is there, and what the paths are |
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from headrace.errors import RequestError
from headrace.limits.query import SERVE_BODY_S, SERVE_MAX_BODY_BYTES
from headrace.metrics import Metrics
from headrace.query import phrases
from headrace.serve import openapi, request
from headrace.serve.answers import refusal
from headrace.serve.config import Serve
from headrace.serve.crew import Crew
from headrace.serve.frames import Question
from headrace.serve.reply import Reply
from headrace.serve.request import Asked
from headrace.serve.tokens import Tokens

#: Without tokens only this machine may ask, and a page in its browser that calls itself by another name
#: (DNS rebinding) is not this machine.
_LOCAL_NAMES: Final = ["localhost", "127.0.0.1", "[::1]"]


class Paths:
    """All paths, over one crew."""

    def __init__(
        self, settings: Serve, crew: Crew, tokens: Tokens | None, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._crew = crew
        self._tokens = tokens
        self._metrics = metrics
        self._numbers = itertools.count(1)

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/api/v1/sql", self._guarded(self._sql), methods=["POST"]),
            Route("/api/v1/readings", self._guarded(self._readings), methods=["GET"]),
            Route("/api/v1/latest", self._guarded(self._latest), methods=["GET"]),
            Route("/api/v1/devices", self._guarded(self._devices), methods=["GET"]),
            Route("/api/v1/tables", self._guarded(self._tables), methods=["GET"]),
            Route("/metrics", self._guarded(self._text_of_metrics), methods=["GET"]),
            Route("/healthz", _health, methods=["GET"]),
            *openapi.routes(),
        ]
        local_only = Middleware(TrustedHostMiddleware, allowed_hosts=_LOCAL_NAMES)
        return Starlette(
            routes=routes,
            middleware=[local_only] if self._tokens is None else [],
            exception_handlers={HTTPException: self._no_route},
        )

    def _guarded(
        self, endpoint: Callable[[Request], Awaitable[Any]]
    ) -> Callable[[Request], Awaitable[Any]]:
        async def answer(asked: Request) -> Any:
            try:
                if self._tokens is not None:
                    self._tokens.check(asked.headers.get("authorization", ""))
                else:
                    _check_page(asked)
                return await endpoint(asked)
            except RequestError as error:
                self._metrics.count("requests", status=str(error.status))
                return refusal(error)

        return answer

    async def _sql(self, asked: Request) -> Reply:
        headers = asked.headers
        body = await _body(asked)
        return self._ask(
            request.of_body(body, headers.get("content-type", ""), headers.get("accept", ""))
        )

    async def _readings(self, asked: Request) -> Reply:
        return self._ask(request.of_readings(_query(asked), asked.headers.get("accept", "")))

    async def _latest(self, asked: Request) -> Reply:
        query = _query(asked)
        request.only_known(query, {"device", "name", "site", "format"})
        device, site = (query.get(name, [None])[0] for name in ("device", "site"))
        names = query.get("name", [])
        sql, params = phrases.latest(device=device, names=names, site=site)
        return self._ask(Asked(sql, params, _format(asked)))

    async def _devices(self, asked: Request) -> Reply:
        request.only_known(_query(asked), {"format"})
        return self._ask(Asked(phrases.DEVICES, None, _format(asked)))

    async def _tables(self, asked: Request) -> Reply:
        request.only_known(_query(asked), {"format"})
        return self._ask(Asked(phrases.TABLES, None, _format(asked)))

    def _ask(self, asked: Asked) -> Reply:
        question = Question(
            next(self._numbers), asked.sql, asked.params, asked.format,
            self._settings.max_rows, self._settings.max_seconds,
        )  # fmt: skip
        return Reply(self._crew, question, self._metrics)

    async def _text_of_metrics(self, _asked: Request) -> Response:
        return PlainTextResponse(self._metrics.text())

    async def _no_route(self, _asked: Request, error: Exception) -> Response:
        """404 and 405 in the same shape as all others."""
        assert isinstance(error, HTTPException)  # noqa: S101 - that is what it is registered for
        self._metrics.count("requests", status=str(error.status_code))
        answer = refusal(RequestError(error.status_code, error.detail))
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        return answer


async def _health(_asked: Request) -> Response:
    return PlainTextResponse("OK\n")


def _check_page(asked: Request) -> None:
    """Refuse what a page of another site has its visitor's browser ask.

    Such a page cannot read the answer, but without tokens it can ask (``text/plain`` needs no leave), and keep all
    workers busy. Browsers say where a request comes from; programs say nothing.
    """
    origin = asked.headers.get("origin")
    is_own = origin is None or origin.partition("://")[2] == asked.headers.get("host")
    if asked.headers.get("sec-fetch-site", "none") not in ("none", "same-origin") or not is_own:
        raise RequestError(
            403, "a page of another site may not ask", hint="ask from a program, or with a token"
        )


async def _body(asked: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(SERVE_BODY_S):
            async for chunk in asked.stream():
                body += chunk
                if len(body) > SERVE_MAX_BODY_BYTES:
                    raise RequestError(413, f"a question may have {SERVE_MAX_BODY_BYTES:,} bytes")
    except TimeoutError as error:
        raise RequestError(408, f"the body was not here within {SERVE_BODY_S:g} s") from error
    except ClientDisconnect as error:
        raise RequestError(400, "the body has no end") from error
    return bytes(body)


def _query(asked: Request) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in asked.query_params.multi_items():
        found.setdefault(name, []).append(value)
    return found


def _format(asked: Request) -> str:
    return request.format_of(asked.headers.get("accept", ""), asked.query_params.get("format"))
