"""Asking HTTP APIs of others: patient, bounded, and never faster than they allow.

An answer that says "later" (429, 5xx) or none at all is asked for again: after ``Retry-After`` where the
other side says it, or after a pause that doubles. A refusal (other 4xx) ends the job with what was said.
Answers are bounded while they are read. Redirects to other hosts are not followed: the request carries
a secret.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import requests
from requests.exceptions import InvalidSchema, InvalidURL, RequestException, SSLError

from headrace.clock import Clock, SystemClock
from headrace.errors import InputError, UsageError
from headrace.limits.imports import (
    HTTP_ANSWER_BYTES,
    HTTP_CONNECT_S,
    HTTP_PAUSE_FIRST_S,
    HTTP_PAUSE_MAX_S,
    HTTP_READ_S,
    HTTP_TRIES,
)

_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
#: What coming again does not change.
_HOPELESS: Final = (SSLError, InvalidURL, InvalidSchema)
_BLOCK: Final = 256 * 1024


class AnswerTooLarge(InputError):
    """More than ``HTTP_ANSWER_BYTES``: ask for less at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    body: bytes
    links: Mapping[str, Any]

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            UsageError: it is none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"expected JSON, got {self.body[:80]!r}", hint="check the address") from error  # fmt: skip


@dataclass(slots=True)
class Web:
    """One API, asked by one job.

    ``pause`` waits for some seconds, or less when the job shall end.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    auth: tuple[str, str] | None = None
    per_minute: float = 0.0
    clock: Clock = field(default_factory=SystemClock)
    should_stop: Callable[[], bool] = lambda: False
    pause: Callable[[float], None] = time.sleep
    _session: requests.Session = field(default_factory=requests.Session)
    _last: float = -1e9

    def get(self, url: str, params: Mapping[str, str] | None = None) -> Answer:
        """Ask by GET."""
        return self._ask("GET", url, None, params=params)

    def post(self, url: str, **how: Any) -> Answer:
        """Ask by POST; ``json`` or ``data`` and ``headers`` as requests takes them."""
        return self._ask("POST", url, None, **how)

    def save(self, url: str, path: Path, params: Mapping[str, str]) -> None:
        """Ask by GET, and put an answer of any size into a file; whole or not at all."""
        part = path.with_name(path.name + ".part")
        self._ask("GET", url, part, params=params)
        part.replace(path)

    def _ask(self, method: str, url: str, path: Path | None, **how: Any) -> Answer:
        why = ""
        for number in range(HTTP_TRIES):
            self._keep_the_pace()
            later = 0.0
            try:
                with self._send(method, url, **how) as response:
                    if response.status_code < 300:
                        return _read(response, path)
                    why, later = self._refused(response)
            except _HOPELESS as error:
                raise UsageError(f"{url}: {error}", hint="check the address and its certificate") from error  # fmt: skip
            except RequestException as error:
                why = f"{type(error).__name__}: {error}"
            self._wait(later or min(HTTP_PAUSE_MAX_S, HTTP_PAUSE_FIRST_S * 2.0**number), url)
        raise InputError(f"{url}: no answer after {HTTP_TRIES} tries: {why}", hint="run the job again later")  # fmt: skip

    def _send(self, method: str, url: str, **how: Any) -> requests.Response:
        headers = {**self.headers, **how.pop("headers", {})}
        return self._session.request(
            method, url, headers=headers, auth=self.auth, stream=True, allow_redirects=False,
            timeout=(HTTP_CONNECT_S, HTTP_READ_S), **how,
        )  # fmt: skip

    def _refused(self, response: requests.Response) -> tuple[str, float]:
        """Why, and in how many seconds to come again, 0 where that is not said.

        Raises:
            UsageError: coming again will not help.
        """
        said = next(response.iter_content(500), b"").decode(errors="replace")
        why = f"status {response.status_code}: {' '.join(said.split())}"
        if response.status_code not in _LATER:
            hint = "check the secret's file" if response.status_code in (401, 403) else "check the settings"  # fmt: skip
            raise UsageError(f"{response.url.partition('?')[0]}: {why}", hint=hint)
        return why, self._retry_after(response.headers.get("Retry-After", ""))

    def _retry_after(self, said: str) -> float:
        """Seconds, from seconds or a date."""
        if said.strip().isdecimal():
            return float(said)
        try:
            at = parsedate_to_datetime(said)
        except ValueError:
            return 0.0
        now = datetime.fromtimestamp(self.clock.now_us() / 1e6, UTC)
        return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())

    def _keep_the_pace(self) -> None:
        if self.per_minute:
            self._wait(self._last + 60.0 / self.per_minute - self.clock.monotonic(), "the pace")
        self._last = self.clock.monotonic()

    def _wait(self, seconds: float, what: str) -> None:
        if seconds > HTTP_PAUSE_MAX_S * 6:
            raise InputError(f"{what}: asks to come again in {seconds:.0f} s", hint="run the job again then")  # fmt: skip
        while seconds > 0:
            if self.should_stop():
                raise InputError(f"stopped while waiting for {what}", hint="run the job again")
            self.pause(min(seconds, 1.0))
            seconds -= 1.0


def _read(response: requests.Response, path: Path | None) -> Answer:
    if path is None:
        body = bytearray()
        for block in response.iter_content(_BLOCK):
            body += block
            if len(body) > HTTP_ANSWER_BYTES:
                raise AnswerTooLarge(f"an answer has more than {HTTP_ANSWER_BYTES} bytes", hint="ask for smaller pages")  # fmt: skip
        return Answer(bytes(body), response.links)
    with path.open("wb") as file:
        for block in response.iter_content(_BLOCK):
            file.write(block)
    return Answer(b"", {})
