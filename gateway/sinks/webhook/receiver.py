"""The receiver as one call: a POST with the token, signature and CA that stood in their files when it was made."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass

import urllib3

from gateway.sinks.secret import read_secret
from gateway.sinks.webhook.config import WebhookSettings
from gateway.sinks.webhook.events import Event
from gateway.sinks.webhook.request import content, secret_key, signature
from headrace import __version__
from headrace.clock import Clock
from headrace.errors import SinkUnavailable
from headrace.limits.sinks import WEBHOOK_MAX_ANSWER_BYTES
from headrace.tls_hints import tls_hint


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status, the beginning of what it says, and when it wants to be asked again."""

    status: int
    text: str
    retry_after: str


class Receiver:
    """One connection to ``url``.

    Raises:
        SinkUnavailable: a secret cannot be read at present.
    """

    def __init__(self, settings: WebhookSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        secret = read_secret(settings.signature_secret_file)
        self._key = secret_key(secret) if secret else b""
        token = read_secret(settings.token_file)
        headers = {"User-Agent": f"headrace/{__version__}"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        ca = str(settings.ca_file) if settings.ca_file else None
        self._pool = urllib3.PoolManager(
            headers=headers, timeout=settings.timeout_s, retries=False, maxsize=1, ca_certs=ca
        )

    def post(self, sent: Sequence[Event]) -> Answer:
        """Send events together.

        Raises:
            SinkUnavailable: no answer.
        """
        body, headers = content(self._settings.mode, sent)
        headers |= self._pool.headers
        if self._key:
            headers |= signature(self._key, sent, body, self._clock.now_us() // 1_000_000)
        if self._settings.gzip:
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        try:
            answer = self._pool.request(
                "POST", self._settings.url, body=body, headers=headers, redirect=False,
                preload_content=False,
            )  # fmt: skip
            # One look: an answer that never ends must not hold the sink.
            text = answer.read1(WEBHOOK_MAX_ANSWER_BYTES, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            hint = tls_hint(str(error), ca="ca_file")
            raise SinkUnavailable(f"the receiver does not answer: {error}", hint=hint) from error
        if answer.connection is not None:  # there is more of it: not to be used again
            answer.close()
        return Answer(answer.status, _line(text), answer.headers.get("Retry-After", ""))

    def close(self) -> None:
        self._pool.clear()


def _line(text: bytes) -> str:
    return " ".join(text.decode("utf-8", "replace").split())[:300]
