"""The write paths of InfluxDB 1, 2 and 3, and what their clients ask before and beside writing.

``POST /write``              version 1: ``db`` and ``rp`` say nothing here
``POST /api/v2/write``       version 2: ``org`` and ``bucket`` say nothing here
``POST /api/v3/write_lp``    version 3: ``db`` says nothing here
``GET /ping``, ``/health``   whether somebody is there
``/query``                   version 1: Telegraf makes its database before it writes; nothing else is answered
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api import split
from gateway.api.answers import json_answer
from gateway.api.credentials import DEVICE_HEADER, check_allowed, device_of
from gateway.api.desk import Desk, Parts
from gateway.api.tokens import Token
from headrace import __version__
from headrace.codecs.line import FORMAT_OF_PRECISION
from headrace.errors import RequestError
from headrace.limits.http import HTTP_RETRY_AFTER_S

_V2: Final = {name: FORMAT_OF_PRECISION[name] for name in ("ns", "us", "ms", "s")}
_V3: Final = _V2 | {
    "nanosecond": "line",
    "microsecond": "line-us",
    "millisecond": "line-ms",
    "second": "line-s",
    "auto": "",
}
_CREATE: Final = re.compile(r"\s*CREATE\s+DATABASE\b", re.IGNORECASE)
_TIME: Final = re.compile(rb"^[^#\n][^\n]* (-?[0-9]{1,20})[ \t\r]*$", re.MULTILINE)

#: How InfluxDB 3 guesses a unit: up to which time one can be meant, and its format.
_GUESSES: Final = ((5 * 10**9, "line-s"), (5 * 10**12, "line-ms"), (5 * 10**15, "line-us"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Influx:
    """The paths."""

    desk: Desk
    device_tag: str

    def routes(self) -> list[Route]:
        return [
            Route("/write", self.write_v1, methods=["POST"]),
            Route("/api/v2/write", self.write_v2, methods=["POST"]),
            Route("/api/v3/write_lp", self.write_v3, methods=["POST"]),
            Route("/query", self.query, methods=["GET", "POST"]),
            Route("/ping", self.ping, methods=["GET"]),
            Route("/health", self.health, methods=["GET"]),
        ]

    async def write_v1(self, request: Request) -> Response:
        # Telegraf's output for version 1 throws away what any 4xx refuses.
        with _said_as_503(408, 429):
            return await self._write(request, FORMAT_OF_PRECISION, "ns")

    async def write_v2(self, request: Request) -> Response:
        # That for version 2 knows 429, and throws away what 408 refuses.
        with _said_as_503(408):
            return await self._write(request, _V2, "ns")

    async def write_v3(self, request: Request) -> Response:
        with _said_as_503(408):
            return await self._write(request, _V3, "auto")

    async def query(self, request: Request) -> Response:
        """``CREATE DATABASE`` is done, because there is nothing to do."""
        values = request.query_params
        self.desk.token(request, values.get("p", ""))
        statement = values.get("q", "")
        if not statement and request.method == "POST":
            with self.desk.budget.lease() as lease:
                body = await self.desk.body(request, lease)
            fields = parse_qs(body[:4096].decode("utf-8", "replace"))
            statement = fields.get("q", [""])[0]
        if not _CREATE.match(statement):
            raise RequestError(
                400, "readings are written here and not asked for; expected CREATE DATABASE",
                hint="ask the lake: headrace query",
            )  # fmt: skip
        return json_answer({"results": [{"statement_id": 0}]})

    async def ping(self, _request: Request) -> Response:
        headers = {"x-influxdb-version": f"headrace-{__version__}", "x-influxdb-build": "headrace"}
        return Response(status_code=204, headers=headers)

    async def health(self, _request: Request) -> Response:
        """Whether readings that come here are taken; of the rest of the gateway, /readyz speaks."""
        stalled = self.desk.handover.stalled()
        answer = {
            "name": "headrace",
            "message": "the journal takes nothing at present" if stalled else "ready for writes",
            "status": "fail" if stalled else "pass",
            "version": __version__,
        }
        return json_answer(answer, 503 if stalled else 200)

    async def _write(
        self, request: Request, formats: Mapping[str, str], otherwise: str
    ) -> Response:
        values = request.query_params
        token = self.desk.token(request, values.get("p", ""))
        device = device_of(token, request.headers.get(DEVICE_HEADER, ""))
        precision = values.get("precision") or otherwise
        format_ = formats.get(precision)
        if format_ is None:
            raise RequestError(
                400, f"precision {precision[:20]!r}: expected one of {', '.join(formats)}"
            )
        if device is None and not self.device_tag:
            raise RequestError(
                400, f"this token may write for {token.devices!r}: for whom are these lines?",
                hint=f"send the header {DEVICE_HEADER}, or set ingest.http.device_tag",
            )  # fmt: skip

        def sort(body: bytes) -> Parts:
            found = format_ or guess(body)
            return ({device: body} if device is not None else self._split(token, body)), found

        return await self.desk.take(request, token, sort)

    def _split(self, token: Token, body: bytes) -> dict[str, bytes]:
        parts = split.by_device(body, self.device_tag)
        for device in parts:
            check_allowed(token, device)
        if not parts:
            raise RequestError(400, "there are no lines in it")
        return parts


@contextmanager
def _said_as_503(*statuses: int) -> Iterator[None]:
    """A request that may come again must not look like one that may not."""
    try:
        yield
    except RequestError as error:
        if error.status not in statuses:
            raise
        after_s = error.retry_after_s or HTTP_RETRY_AFTER_S
        raise RequestError(503, error.message, hint=error.hint, retry_after_s=after_s) from error


def guess(body: bytes) -> str:
    """The format whose unit the first time in a body is in, as InfluxDB 3 guesses it."""
    found = _TIME.search(body)
    time = abs(int(found[1])) if found else 0
    if found:
        for limit, format_ in _GUESSES:
            if time < limit:
                return format_
    return "line"
