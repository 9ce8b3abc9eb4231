"""``POST /v1/readings/{device}``: any format of the wire, told by its Content-Type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.credentials import device_of
from gateway.api.desk import Desk
from headrace.codecs.line import FORMAT_OF_PRECISION
from headrace.errors import RequestError

FORMATS: Final[Mapping[str, str]] = {
    "application/senml+json": "senml-json",
    "application/json": "senml-json",
    "application/senml+cbor": "senml-cbor",
    "application/vnd.apache.arrow.stream": "arrow",
    "text/plain": "line",
}


@dataclass(frozen=True, slots=True)
class Readings:
    """The path."""

    desk: Desk

    def routes(self) -> list[Route]:
        return [Route("/v1/readings/{device}", self.post, methods=["POST"])]

    async def post(self, request: Request) -> Response:
        token = self.desk.token(request)
        device = request.path_params["device"]
        device_of(token, device)
        format_ = _format(request)
        return await self.desk.take(request, token, lambda body: ({device: body}, format_))


def _format(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    format_ = FORMATS.get(kind)
    if format_ is None:
        raise RequestError(415, f"Content-Type {kind[:60]!r}: expected one of {', '.join(FORMATS)}")
    precision = request.query_params.get("precision")
    if precision is None:
        return format_
    if format_ != "line" or precision not in FORMAT_OF_PRECISION:
        raise RequestError(
            400, f"precision {precision[:20]!r}: of line protocol, one of {', '.join(FORMAT_OF_PRECISION)}"
        )  # fmt: skip
    return FORMAT_OF_PRECISION[precision]
