"""What requests are answered, in the shapes that InfluxDB's clients log something useful of.

Version 2 reads ``code`` and ``message``, version 1 and 3 ``error``: one answer has all of them.
"""

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
    408: "request timeout",
    413: "request too large",
    415: "unsupported media type",
    422: "unprocessable entity",
    429: "too many requests",
    503: "unavailable",
}


def json_answer(value: object, status: int = 200) -> Response:
    """A document."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def refusal(error: RequestError) -> Response:
    """An error as an answer."""
    message = str(error)
    code = _CODES.get(error.status, "internal error")
    answer = json_answer({"code": code, "message": message, "error": message}, error.status)
    if error.retry_after_s is not None:
        answer.headers["retry-after"] = str(error.retry_after_s)
    if error.status == 401:
        answer.headers["www-authenticate"] = 'Bearer realm="headrace", Basic realm="headrace"'
    if error.status == 408:
        answer.headers["connection"] = "close"
    return answer
