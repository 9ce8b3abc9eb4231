"""What to do about a TLS failure, by the words of four libraries."""

from __future__ import annotations

import pytest

from headrace.tls_hints import tls_hint


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1)", "renew"),
        ("certificate verify failed: certificate is not yet valid", "clock"),
        ("certificate verify failed: Hostname mismatch, certificate is not valid for 'a'", "use a name"),
        ('server certificate for "b" does not match host name "localhost"', "use a name"),
        ("certificate verify failed: self-signed certificate in certificate chain", "name the CA"),
        ("SSL error: certificate verify failed", "expired, or is for another name"),
        ("broker certificate could not be verified, verify that ssl.ca.location is correct", "ca_file"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", "certfile and keyfile"),
        ("sslv3 alert bad certificate", "certfile and keyfile"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "correct the port"),
        ("Connection refused", ""),
    ],
)  # fmt: skip
def test_the_words_of_a_library_lead_to_what_to_do(said: str, hint: str) -> None:
    """The special case before the general one; nothing where it is not about TLS."""
    found = tls_hint(said, ca="ca_file")
    assert hint in found
    assert bool(found) == bool(hint)
