"""From when to when a certificate is good, and when it is time for the next one. Pure.

Read out of the DER by hand, because the agent carries no package that could do it: a certificate
begins with its version, serial number, signature algorithm and issuer, and then come the two times
(RFC 5280, 4.1). Nothing is verified here: that is TLS's affair.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from headrace.limits.enrolment import RENEW_WHEN_LEFT

_DAY_US: Final = 24 * 3600 * 1_000_000
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.S)
_UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x17, 0x18, 0xA0


@dataclass(frozen=True, slots=True)
class Validity:
    """Microseconds since 1970 UTC, as a clock gives them."""

    not_before: int
    not_after: int

    def days_left(self, now_us: int) -> float:
        """Until it ends; negative when it has."""
        return (self.not_after - now_us) / _DAY_US

    def is_due(self, now_us: int) -> bool:
        """Whether the next one should be asked for: when less than a third of its life is left.

        Before it begins nothing is due: a clock that says so is wrong, not the certificate.
        """
        lifetime = self.not_after - self.not_before
        return now_us >= self.not_before and self.not_after - now_us < lifetime * RENEW_WHEN_LEFT


def read_validity(pem: bytes) -> Validity:
    """The times of the first certificate in a PEM file.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    found = _PEM.search(pem)
    if found is None:
        raise ValueError("no certificate in PEM")
    try:
        certificate, _ = _content(binascii.a2b_base64(found[1]), 0)
        return _validity(_content(certificate, 0)[0])
    except (IndexError, binascii.Error) as error:
        raise ValueError(f"the certificate is damaged: {error}") from error


def _validity(signed: bytes) -> Validity:
    at = 0
    if signed[0] == _VERSION:
        _, at = _content(signed, at)
    for _field in ("serial number", "signature algorithm", "issuer"):
        _, at = _content(signed, at)
    times, _ = _content(signed, at)
    _, behind_first = _content(times, 0)
    return Validity(_time_us(times, 0), _time_us(times, behind_first))


def _content(der: bytes, at: int) -> tuple[bytes, int]:
    """The content of the element that begins there, and where the next one begins."""
    length, start = der[at + 1], at + 2
    if length & 0x80:
        digits = length & 0x7F
        length, start = int.from_bytes(der[start : start + digits], "big"), start + digits
    if start + length > len(der):
        raise IndexError("it ends too early")
    return der[start : start + length], start + length


def _time_us(der: bytes, at: int) -> int:
    text, kind = _content(der, at)[0].decode("ascii"), der[at]
    if kind == _UTC_TIME:
        text = ("19" if text[0] in "56789" else "20") + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError(f"expected a time in the certificate, got element {kind:#x}")
    moment = datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    return round(moment.timestamp()) * 1_000_000
