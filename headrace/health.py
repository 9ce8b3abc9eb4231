"""Asking a program on this machine whether it works: what ``gateway health`` and container checks do.

The question goes to the program's own HTTP port. A program that listens on every address is asked on
loopback, because that is the one that is there without a network.
"""

from __future__ import annotations

import http.client
from ipaddress import ip_address

from headrace.errors import TransportError
from headrace.limits.process import HEALTH_TIMEOUT_S


def probe(host: str, port: int, path: str) -> str:
    """What the program answers.

    Raises:
        TransportError: nobody answers in time, or not with 200.
    """
    address = f"{local_address(host)}:{port}"
    connection = http.client.HTTPConnection(local_address(host), port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        body = reply.read(65_536).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise TransportError(
            f"no answer from http://{address}{path}: {error}", hint="is it running?"
        ) from error
    finally:
        connection.close()
    if reply.status != http.client.OK:
        raise TransportError(f"http://{address}{path} says {reply.status}: {body}")
    return body


def local_address(host: str) -> str:
    """``host``, or loopback where it means every address of the machine."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return host
