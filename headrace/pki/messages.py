"""Requests and answers of the enrolment endpoint, JSON over HTTPS.

::

    GET  /v1/ca      -> Site                   before anything is trusted; judged with the code
    POST /v1/enrol   Application -> Issued     the code's secret buys a certificate
    POST /v1/renew   Renewal -> Issued         over mutual TLS, with the certificate that ends

Anything else, and any refusal: ``Refusal`` with a status of 4xx. Unknown keys are ignored.
"""

from __future__ import annotations

from typing import Final

import msgspec

SITE_PATH: Final = "/v1/ca"
ENROL_PATH: Final = "/v1/enrol"
RENEW_PATH: Final = "/v1/renew"


class Site(msgspec.Struct, frozen=True):
    """``ca`` is PEM; ``time`` the gateway's clock, microseconds since 1970 UTC."""

    ca: str
    time: int


class Application(msgspec.Struct, frozen=True):
    """``secret``: hex digits of the code's first half; ``csr``: PEM; ``device``: empty for any."""

    secret: str
    csr: str
    device: str = ""


class Renewal(msgspec.Struct, frozen=True):
    """A request for the next certificate of the device that the connection's certificate names."""

    csr: str


class Issued(msgspec.Struct, frozen=True):
    """``broker_host`` is empty where it is the host that the device asked; ``expires`` as ``time``."""

    device: str
    certificate: str
    ca: str
    expires: int
    broker_host: str
    broker_port: int
    topic_root: str
    model_root: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """Why not, and what to do."""

    reason: str
    error: str
    hint: str = ""
