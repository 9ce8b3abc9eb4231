"""What every request that brings readings goes through: who, whose, how much, and into the journal."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.api.body import Budget, Lease, read_body, unpack
from gateway.api.credentials import secret_of
from gateway.api.handover import Handover
from gateway.api.tokens import Token, Tokens
from headrace.clock import Clock
from headrace.errors import RequestError, StorageError
from headrace.limits.http import HTTP_BODY_S, HTTP_MAX_KEY_CHARS, HTTP_RETRY_AFTER_S
from headrace.logs import Condition

logger = logging.getLogger(__name__)

KEY_HEADER: Final = "Idempotency-Key"

_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{HTTP_MAX_KEY_CHARS}}}")

#: Payloads by device, and the format of all of them.
Parts = tuple[Mapping[str, bytes], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Shared by all paths."""

    tokens: Tokens
    clock: Clock
    handover: Handover
    budget: Budget = field(default_factory=Budget)
    body_s: float = HTTP_BODY_S
    condition: Condition = field(default_factory=lambda: Condition(logger, "http tokens"))

    def token(self, request: Request, password: str = "") -> Token:
        """Who sends this.

        Raises:
            RequestError: 401 nobody that is known; 503 the tokens cannot be read.
        """
        secret = secret_of(request.headers.get("authorization", ""), password)
        try:
            token = self.tokens.find(secret, self.clock.now_us())
        except StorageError as error:
            self.condition.bad(error)
            raise RequestError(
                503, "tokens cannot be read at present", retry_after_s=HTTP_RETRY_AFTER_S
            ) from error
        self.condition.good()
        if token is None:
            raise RequestError(
                401, "this token is not known, expired or revoked", hint="see `gateway token ls`"
            )
        return token

    async def take(
        self, request: Request, token: Token, sort: Callable[[bytes], Parts]
    ) -> Response:
        """Read the body and have it committed; 204.

        Args:
            sort: says whose it is and how it is written; may raise RequestError.
        """
        key = _key(request, token)
        with self.budget.lease() as lease:
            body = await self.body(request, lease)
            if not body:
                raise RequestError(400, "the body is empty")
            parts, format_ = sort(body)
            await self.handover.deliver(parts, format_, key)
        return Response(status_code=204)

    async def body(self, request: Request, lease: Lease) -> bytes:
        """The body, unpacked."""
        headers = request.headers
        try:
            sent = await read_body(
                request.stream(), headers.get("content-length"), lease, self.body_s
            )
        except ClientDisconnect as error:
            raise RequestError(400, "the connection ended in mid-request") from error
        return await unpack(sent, headers.get("content-encoding", "").strip().lower(), lease)


def _key(request: Request, token: Token) -> bytes | None:
    """What a repetition is told by: a key of two tokens is two keys."""
    text = request.headers.get(KEY_HEADER)
    if text is None:
        return None
    if not _KEY.fullmatch(text):
        raise RequestError(
            400, f"{KEY_HEADER}: expected 1 to {HTTP_MAX_KEY_CHARS} visible ASCII characters"
        )
    return hashlib.blake2b(f"{token.id} {text}".encode(), digest_size=16).digest()
