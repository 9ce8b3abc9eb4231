"""How a publisher nudges a gateway; the other end is ``gateway.models.nudges``."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import urllib3

from headrace.errors import TransportError, UsageError
from headrace.limits.edge_models import MODEL_NUDGE_TIMEOUT_S

NUDGE_PATH: Final = "/api/v1/models/nudge"


def nudge(url: str, token: str, *, ca: Path | None = None) -> None:
    """Have the gateway at ``url`` look at its repository now.

    Raises:
        TransportError: it was not reached, or does not take it; it looks by itself later.
        UsageError: ``ca`` holds no certificates.
    """
    tls = None
    if url.startswith("https://"):
        try:
            tls = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise UsageError(f"--nudge-ca: {ca}: {error}") from error
    pool = urllib3.PoolManager(retries=False, timeout=MODEL_NUDGE_TIMEOUT_S, ssl_context=tls)
    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = pool.request("POST", url.rstrip("/") + NUDGE_PATH, headers=headers, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        raise TransportError(f"{url}: {error}") from error
    if answer.status != 202:
        raise TransportError(
            f"{url}: expected status 202, got {answer.status}", hint=_HINTS.get(answer.status, "")
        )


_HINTS: Final = {
    401: "is it the token in the gateway's model_repository.nudge_token_file?",
    404: "does the gateway's configuration name a model_repository.nudge_token_file?",
}
