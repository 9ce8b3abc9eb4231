"""The conversation with the gateway's enrolment endpoint.

Two connections. The first trusts nobody: it fetches the site's CA, which the code vouches for
(``headrace.pki.codes``). The second trusts that CA alone, checks the gateway's certificate like any
other, and only then sends the secret. Renewal needs one, with the certificate that ends.

Clocks are compared before certificates are judged by them, because "not yet valid" helps nobody.
"""

from __future__ import annotations

import http.client
import ssl
import time
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from edge_agent.enrol.files import DeviceFiles
from headrace.errors import EnrolmentError, TransportError, UsageError
from headrace.limits.enrolment import ENROL_MAX_CLOCK_DIFFERENCE_S
from headrace.limits.sizes import MIB
from headrace.pki.codes import Code
from headrace.pki.messages import (
    ENROL_PATH,
    RENEW_PATH,
    SITE_PATH,
    Application,
    Issued,
    Refusal,
    Renewal,
    Site,
)
from headrace.pki.names import DEFAULT_ENROL_PORT

T = TypeVar("T")
_TIMEOUT_S: Final = 20.0
_MAX_ANSWER_BYTES: Final = MIB


@dataclass(frozen=True, slots=True)
class Address:
    """Where the gateway takes enrolments."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """``https://gateway.local:8443``; the scheme and the port may be left out.

    Raises:
        UsageError: it is no such address.
    """
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        address = Address(parts.hostname or "", parts.port or DEFAULT_ENROL_PORT)
    except ValueError:
        address, parts = Address("", 0), urlsplit("")
    if parts.scheme != "https" or not address.host or parts.path.strip("/"):
        raise UsageError(
            f"not a gateway's address: {text!r}; expected https://HOST:{DEFAULT_ENROL_PORT}",
            hint="`gateway enroll DEVICE` prints it",
        )
    return address


def fetch_site(address: Address, code: Code) -> Site:
    """The site's CA, which the code vouches for.

    Raises:
        EnrolmentError: it does not: mistyped, another gateway, or somebody in between.
        TransportError: the gateway cannot be reached.
        UsageError: this machine's clock and the gateway's are too far apart.
    """
    site = _fetch_unverified(address)
    try:
        der = ssl.PEM_cert_to_DER_cert(site.ca)
    except ValueError as error:
        raise TransportError(f"{address} gave no certificate: {error}") from error
    if not code.fits(der):
        raise EnrolmentError(
            "bad_code",
            f"the code does not fit the gateway at {address}; nothing was sent to it",
            hint="compare the code and the address with what `gateway enroll` printed; if both are "
            "right, something between here and the gateway pretends to be it",
        )
    check_clock(site.time / 1e6, time.time())
    return site


def site_time_us(address: Address, files: DeviceFiles) -> int:
    """The gateway's clock, for a device whose own may be wrong.

    Asked without trust, because certificates are judged by clocks. Nothing is told, and who answers
    wrongly can only keep us from renewing, which he could anyway.

    Raises:
        EnrolmentError: another site answers there.
        TransportError: nobody does.
        UsageError: this machine's clock and the gateway's are too far apart.
    """
    site = _fetch_unverified(address)
    try:
        own = files.ca.read_text(encoding="utf-8")
    except OSError as error:
        raise _unusable(files, error) from error
    if site.ca.split() != own.split():
        raise EnrolmentError(
            "bad_request",
            f"the gateway at {address} has another CA than {files.ca}",
            hint="has it lost its data? enrol again with a code",
        )
    check_clock(site.time / 1e6, time.time())
    return site.time


def _fetch_unverified(address: Address) -> Site:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _ask(address, context, "GET", SITE_PATH, None, Site)


def enrol(address: Address, site: Site, application: Application) -> Issued:
    """Redeem the code.

    Raises:
        EnrolmentError: the gateway refuses.
        TransportError: it cannot be reached, or is reached by a name that its certificate lacks.
    """
    context = ssl.create_default_context(cadata=site.ca)
    return _ask(address, context, "POST", ENROL_PATH, application, Issued)


def renew(address: Address, files: DeviceFiles, csr: str) -> Issued:
    """Get the next certificate with the present one; raises like ``enrol``."""
    try:
        context = ssl.create_default_context(cafile=str(files.ca))
        context.load_cert_chain(files.certificate, files.key)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(files, error) from error
    return _ask(address, context, "POST", RENEW_PATH, Renewal(csr), Issued)


def check_clock(gateway_s: float, own_s: float) -> None:
    """Refuse clocks that would make sound certificates look invalid.

    Raises:
        UsageError: they differ by more than an hour.
    """
    if abs(gateway_s - own_s) > ENROL_MAX_CLOCK_DIFFERENCE_S:
        form = "%Y-%m-%d %H:%M UTC"
        own, gateway = (time.strftime(form, time.gmtime(at)) for at in (own_s, gateway_s))
        raise UsageError(
            f"this device's clock says {own}, the gateway's says {gateway}",
            hint="set the one that is wrong (timedatectl set-ntp true, or date -s), then try again; the "
            "code is not used up",
        )


def _ask(
    address: Address, context: ssl.SSLContext, method: str, path: str, body: Any, kind: type[T]
) -> T:
    connection = http.client.HTTPSConnection(
        address.host, address.port, timeout=_TIMEOUT_S, context=context
    )
    try:
        connection.request(method, path, msgspec.json.encode(body) if body is not None else None)
        reply = connection.getresponse()
        answer = reply.read(_MAX_ANSWER_BYTES)
    except ssl.SSLCertVerificationError as error:
        raise _unverified(address, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(address, error) from error
    finally:
        connection.close()
    try:
        if reply.status == http.client.OK:
            return msgspec.json.decode(answer, type=kind)
        refusal = msgspec.json.decode(answer, type=Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TransportError(
            f"what answers at {address} is not a Headrace gateway (HTTP {reply.status})",
            hint=f"its enrolment listens on port {DEFAULT_ENROL_PORT} unless enrol.port says otherwise",
        ) from error
    if reply.status >= http.client.INTERNAL_SERVER_ERROR:
        raise TransportError(f"{address}: {refusal.error}", hint=refusal.hint)
    raise EnrolmentError(refusal.reason, refusal.error, hint=refusal.hint)  # type: ignore[arg-type]


def _unusable(files: DeviceFiles, error: Exception) -> UsageError:
    return UsageError(
        f"key or certificate in {files.folder} cannot be used: {error}",
        hint="run this with sudo; if they are damaged, enrol again with a code and --new-key",
    )


def _unverified(address: Address, error: ssl.SSLCertVerificationError) -> TransportError:
    return TransportError(
        f"the certificate of {address} is not good: {error.verify_message}",
        hint=f"if it is about the name, add {address.host!r} to names under [enrol] in the "
        "gateway's configuration and restart it; if about the time, set the clock",
    )


def _unreachable(address: Address, error: Exception) -> TransportError:
    if isinstance(error, ssl.SSLError):
        return TransportError(
            f"{address} ended the TLS handshake: {error.reason or error}",
            hint="is this the enrolment port? a renewal with a certificate that has ended, or of "
            "another site, is refused this way: enrol with a new code",
        )
    return TransportError(
        f"the gateway at {address} cannot be reached: {error}",
        hint="is it running with enabled = true under [enrol]? is enrol.port open in its firewall?",
    )
