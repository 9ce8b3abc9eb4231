"""Events to one POST, and its signature.

========== ======================================= ====================================================
mode       Content-Type                            body
========== ======================================= ====================================================
batch      application/cloudevents-batch+json      several events, up to ``max_bytes``
structured application/cloudevents+json            one event
binary     application/senml+json                  the data of one event, its attributes as ``ce-`` headers
========== ======================================= ====================================================

Signed as Standard Webhooks has it, so that receivers find a library: HMAC-SHA256 over id, timestamp and
body. The id is made of the names of the events, so it is the same when the same request comes again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from gateway.sinks.webhook.events import CONTENT_TYPE, Event
from headrace.errors import SinkUnavailable

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - tells how the secret is written
_BATCH: Final = "application/cloudevents-batch+json; charset=UTF-8"
_STRUCTURED: Final = "application/cloudevents+json; charset=UTF-8"


def content(mode: str, events: Sequence[Event]) -> tuple[bytes, dict[str, str]]:
    """Body and headers; ``batch`` takes any number of events, the other modes one."""
    if mode == "batch":
        body = b"[" + b",".join(event.structured() for event in events) + b"]"
        return body, {"Content-Type": _BATCH}
    (event,) = events
    if mode == "structured":
        return event.structured(), {"Content-Type": _STRUCTURED}
    headers = {
        f"ce-{name}": quote(text, safe=" !#$&'()*+,/:;=?@[]~-._")
        for name, text in event.attributes.items()
        if name != "datacontenttype"
    }
    return event.data, {"Content-Type": CONTENT_TYPE, **headers}


def signature(
    secret: bytes, events: Sequence[Event], body: bytes, seconds: int
) -> Mapping[str, str]:
    """The three headers of Standard Webhooks."""
    names = "\n".join(event.name for event in events)
    message = "msg_" + hashlib.sha256(names.encode()).hexdigest()[:32]
    signed = f"{message}.{seconds}.".encode() + body
    digest = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{digest}",
    }


def secret_key(text: str) -> bytes:
    """The key in ``whsec_<base64>``; any other text is its own key.

    Raises:
        SinkUnavailable: what follows ``whsec_`` is not base64.
    """
    if not text.startswith(_SECRET_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise SinkUnavailable(
            "signature_secret_file: what follows whsec_ must be base64", hint=str(error)
        ) from error
