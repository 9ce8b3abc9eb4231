"""What to do about a TLS connection that failed, told by what the libraries say of it. Pure.

Python, paho, librdkafka and libpq all end at OpenSSL and all carry its words, so one table of words serves
every way out and in.
"""

from __future__ import annotations

from typing import Final

#: The first that occurs counts, so what is special comes before "certificate verify failed".
_HINTS: Final = (
    (
        "no certificate or crl found",
        "expected a PEM file with the CA's certificate in {ca}",
    ),
    (
        ("[ssl] pem lib", "key values mismatch", "[x509]"),
        "expected a certificate and its own key, both PEM, in the files of the configuration",
    ),
    (
        "certificate has expired",
        "renew the certificate at the other end; if it is sound, set the clock of this machine",
    ),
    (
        "certificate is not yet valid",
        "set the clock of this machine; if it is right, the other end's certificate begins later",
    ),
    (
        ("hostname mismatch", "ip address mismatch", "does not match host name"),
        "use a name that is in the other end's certificate, or have one issued for this name",
    ),
    (
        ("certificate required", "unknown ca", "bad certificate", "alert certificate"),
        "the other end asks for a certificate that it knows: check certfile and keyfile",
    ),
    (
        ("local issuer certificate", "self-signed", "self signed"),
        "name the CA that has issued the other end's certificate in {ca}",
    ),
    (
        # librdkafka and libpq say no more than this, whatever is wrong with it.
        ("certificate verify failed", "certificate could not be verified"),
        "name the CA that has issued the other end's certificate in {ca}; if it is that one, the "
        "certificate has expired, or is for another name",
    ),
    (
        ("wrong version number", "record layer failure", "does not support ssl"),
        "the other end does not speak TLS there: correct the port, or turn TLS off",
    ),
)


def tls_hint(said: str, *, ca: str = "cafile") -> str:
    """What to do; empty where it is not about TLS.

    Args:
        said: the library's message.
        ca: the key of the configuration that names the CA's file.
    """
    said = said.lower()
    for words, hint in _HINTS:
        if any(word in said for word in ((words,) if isinstance(words, str) else words)):
            return hint.format(ca=ca)
    return ""
