"""Ends the connection of a revoked device at an external broker, and knows that it is ended.

mosquitto reads a new revocation list at SIGHUP and refuses the next handshake, but a connection that
stands is left alone (tried with 2.0.11; the ACL makes it useless). It does end one when its
client id comes in again, and with ``use_username_as_clientid`` that is the name in the certificate.
So the gateway, which has the CA, comes in under the device's name, in two steps:

1. With a *listed* certificate, made for this and on the revocation list from the start. As long as
   the broker takes it, the broker has not read the new list. When it is refused, the list holds.
2. With an *unlisted* one, once: whatever came in under that name before the list held is put out.

No answer of the broker is believed but these two handshakes, so it does not matter who told it to
reload, and how. A broker that is away holds no connections, and reads the list when it starts.
"""

from __future__ import annotations

import logging
import socket
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.enrol.files import write_private
from headrace.clock import Clock
from headrace.errors import TransportError
from headrace.limits.enrolment import EXPEL_LOOK_S, EXPEL_PAUSE_S, EXPEL_TIMEOUT_S

logger = logging.getLogger(__name__)

_CONNECTED: Final = bytes([0x20, 2, 0, 0])
_DISCONNECT: Final = bytes([0xE0, 0])


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the external broker listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Guise:
    """A key and a certificate in the device's name, PEM."""

    key: bytes
    certificate: bytes


def expel(
    address: BrokerAddress,
    ca_pem: str,
    device: str,
    *,
    listed: Guise,
    unlisted: Guise,
    clock: Clock,
) -> None:
    """Return when the device is out and cannot come in again.

    Raises:
        TransportError: the broker goes on with its old revocation list.
    """
    deadline = clock.monotonic() + EXPEL_TIMEOUT_S
    try:
        while _comes_in(address, ca_pem, device, listed):
            if clock.monotonic() >= deadline:
                raise _not_reloaded(address)
            time.sleep(EXPEL_PAUSE_S)
        _comes_in(address, ca_pem, device, unlisted)
    except OSError as error:
        logger.info("broker %s:%d holds no connections: %s", address.host, address.port, error)


def _comes_in(address: BrokerAddress, ca_pem: str, device: str, guise: Guise) -> bool:
    """Whether the broker takes a client so named and certified; OSError when nobody listens."""
    context = _context(ca_pem, guise)
    with socket.create_connection((address.host, address.port), EXPEL_LOOK_S) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=address.host) as connection:
                return _is_greeted(connection, device)
        except ssl.SSLCertVerificationError as error:
            raise _unverified(address, error) from error
        except TimeoutError:
            return True  # it has not refused; ask again
        except (ssl.SSLError, ConnectionError):
            # With TLS 1.3 the client is through the handshake before the server has judged it: the
            # refusal comes as an alert or an end where the CONNACK should be.
            return False


def _is_greeted(connection: ssl.SSLSocket, device: str) -> bool:
    connection.sendall(_connect_packet(device))
    greeted = connection.recv(4) == _CONNECTED
    if greeted:
        connection.sendall(_DISCONNECT)
    return greeted


def _context(ca_pem: str, guise: Guise) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca_pem)
    with tempfile.TemporaryDirectory() as folder:
        # OpenSSL takes keys from files only.
        path = Path(folder) / "guise.pem"
        write_private(path, guise.key + guise.certificate)
        context.load_cert_chain(path)
    return context


def _connect_packet(client_id: str) -> bytes:
    """MQTT 3.1.1 CONNECT, clean session, no will; short enough for a length of one byte."""
    name = client_id.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2, "big") + name
    return bytes([0x10, len(body)]) + body


def _unverified(address: BrokerAddress, error: ssl.SSLCertVerificationError) -> TransportError:
    return TransportError(
        f"the certificate of the broker at {address.host}:{address.port} is not good: "
        f"{error.verify_message}; the device is revoked and may still be connected",
        hint="is broker.host one of enrol.names, and the broker's certificate the gateway's?",
    )


def _not_reloaded(address: BrokerAddress) -> TransportError:
    return TransportError(
        f"the broker at {address.host}:{address.port} has not taken up the revocation within "
        f"{EXPEL_TIMEOUT_S:g} s; the device may still be connected",
        hint="does it read the files that the gateway writes to enrol.mosquitto_dir, and is it told "
        "to reload (deploy/mosquitto)? systemctl reload mosquitto",
    )
