"""Asking a program on this machine whether it works: what ``gateway health`` and container checks do.

The question goes to the program's own HTTP port. A program that listens on every address is asked on
loopback, because that is the one that is there without a network.
"""

from __future__ import annotations

import http.client
import ssl
from ipaddress import ip_address

from headrace.errors import TransportError
from headrace.limits.process import HEALTH_TIMEOUT_S


def probe(host: str, port: int, path: str, *, tls: bool = False) -> str:
    """What the program answers.

    With ``tls`` any certificate is taken: it is for the name that others use, nothing secret is said, and
    the question is whether the program lives.

    Raises:
        TransportError: nobody answers in time, or not with 200.
    """
    address = f"{'https' if tls else 'http'}://{local_address(host)}:{port}"
    connection = _connection(local_address(host), port, tls=tls)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        body = reply.read(65_536).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise TransportError(
            f"no answer from {address}{path}: {error}", hint="is it running?"
        ) from error
    finally:
        connection.close()
    if reply.status != http.client.OK:
        raise TransportError(f"{address}{path} says {reply.status}: {body}")
    return body


def _connection(host: str, port: int, *, tls: bool) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection(host, port, timeout=HEALTH_TIMEOUT_S)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=HEALTH_TIMEOUT_S, context=context)


def local_address(host: str) -> str:
    """``host``, or loopback where it means every address of the machine."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return host
