"""Who may ask: a file of tokens, one a line; ``#`` begins a comment.

Read again when it changes, so that a token that was taken out is refused from the next request on. A
token is what somebody drew at random; comparing takes the same time however much of it is right.
"""

from __future__ import annotations

import hmac
import logging
from pathlib import Path
from typing import Final

from headrace.errors import ConfigError, Fault, RequestError
from headrace.limits.query import SERVE_MAX_TOKENS_BYTES

log = logging.getLogger(__name__)

_MIN_CHARS: Final = 16


class Tokens:
    """The tokens of one file, as it is at this moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._tokens: tuple[bytes, ...] = ()
        self._look()
        if not self._tokens:
            raise ConfigError(
                str(path), [Fault("", f"no token of {_MIN_CHARS} characters or more, one a line")]
            )

    def check(self, authorization: str) -> None:
        """Raises:
        RequestError: 401, no good token.
        """
        scheme, _, shown = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not shown:
            raise RequestError(401, "a token is needed", hint="Authorization: Bearer …")
        self._look()
        given = shown.strip().encode("utf-8")
        # All are compared, so that the time says nothing of where a token stands.
        if not sum(hmac.compare_digest(given, token) for token in self._tokens):
            raise RequestError(401, "this token is not known, or not any more")

    def _look(self) -> None:
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen == self._seen:
                return
            lines = self._path.read_bytes()[:SERVE_MAX_TOKENS_BYTES].splitlines()
        except OSError as error:
            log.error("%s: cannot be read, so nobody may ask: %s", self._path, error)
            self._seen, self._tokens = None, ()
            return
        words = (line.partition(b"#")[0].strip() for line in lines)
        self._seen = seen
        self._tokens = tuple(word for word in words if len(word) >= _MIN_CHARS)
