"""The one-time code: what it looks like and what it proves.

::

    4K7Q-9RTX-M2PD-0ZHN        16 characters of Crockford's base32, 80 bits
    └─secret─┘└──check─┘

``secret`` (40 bits) proves to the gateway that the device was invited. ``check`` (40 bits) is
HMAC-SHA256(secret, SHA-256 of the CA certificate), cut off: it proves to the device, before it sends
the secret, that the gateway's CA is the one that the code was made for. Somebody in between does not
know the secret, so he can prepare no CA that fits: he has one guess in 2^40. A fingerprint without
the secret in it would be known to him beforehand, and 40 bits of it could be forged in an hour.

The gateway guards the 40 bits of the secret: few wrong codes, a short life, one use.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from headrace.errors import UsageError

#: Without I, L, O and U, which are misread.
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RFC4648: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TO_BASE32 = str.maketrans(_CROCKFORD, _RFC4648)
_FROM_BASE32 = str.maketrans(_RFC4648, _CROCKFORD)
_AS_MEANT = str.maketrans("OIL", "011", "- ")

SECRET_BYTES: Final = 5
CHECK_BYTES: Final = 5
_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Code:
    """A code, taken apart."""

    secret: bytes
    check: bytes

    def __str__(self) -> str:
        text = base64.b32encode(self.secret + self.check).decode().translate(_FROM_BASE32)
        return "-".join(text[at : at + 4] for at in range(0, _CHARS, 4))

    def fits(self, ca_der: bytes) -> bool:
        """Whether the code was made by a gateway with this CA."""
        return hmac.compare_digest(self.check, _check(self.secret, ca_der))


def new_code(ca_der: bytes, secret: bytes | None = None) -> Code:
    """A fresh code for the gateway with this CA."""
    secret = secret or secrets.token_bytes(SECRET_BYTES)
    return Code(secret, _check(secret, ca_der))


def parse_code(text: str) -> Code:
    """A code as somebody typed it: case, dashes, blanks and O for 0 do not matter.

    Raises:
        UsageError: it cannot be one.
    """
    plain = text.upper().translate(_AS_MEANT)
    if len(plain) != _CHARS or not set(plain) <= set(_CROCKFORD):
        raise UsageError(
            f"not an enrolment code: expected 16 letters and digits like 4K7Q-9RTX-M2PD-0ZHN, got {text!r}",
            hint="on the gateway, `gateway enroll DEVICE` prints one",
        )
    raw = base64.b32decode(plain.translate(_TO_BASE32))
    return Code(raw[:SECRET_BYTES], raw[SECRET_BYTES:])


def _check(secret: bytes, ca_der: bytes) -> bytes:
    digest = hashlib.sha256(ca_der).digest()
    return hmac.digest(secret, b"headrace ca " + digest, "sha256")[:CHECK_BYTES]
