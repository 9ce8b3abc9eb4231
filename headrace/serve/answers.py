"""What is answered where there is no result."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from headrace.errors import RequestError

_CODES: Final = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    406: "not acceptable",
    408: "too slow",
    413: "request too large",
    415: "unsupported media type",
    422: "over a limit",
    503: "unavailable",
}


def json_answer(value: object, status: int = 200) -> Response:
    """A document."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def refusal(error: RequestError) -> Response:
    """An error as an answer."""
    code = _CODES.get(error.status, "failed")
    answer = json_answer({"code": code, "message": str(error)}, error.status)
    if error.retry_after_s is not None:
        answer.headers["retry-after"] = str(error.retry_after_s)
    if error.status == 401:
        answer.headers["www-authenticate"] = 'Bearer realm="headrace"'
    return answer
