"""``POST /api/v1/models/nudge``: whoever has promoted a version has this gateway look now.

Only with the token that the gateway's configuration names, and only a hint: what the gateway takes is
what the repository's keys have signed, and looks for the sake of hints are ten seconds apart.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from headrace.models.nudge import NUDGE_PATH


def nudge_route(token: str, hint: Callable[[], None]) -> Route:
    """The endpoint, for the mirror's listener and for the gateway's own HTTP side."""
    expected = f"Bearer {token}".encode()

    async def nudge(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not secrets.compare_digest(given, expected):
            return JSONResponse(
                {"error": "expected the token of model_repository.nudge_token_file"},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        hint()
        return JSONResponse({"nudged": True}, status_code=202)

    return Route(NUDGE_PATH, nudge, methods=["POST"])
