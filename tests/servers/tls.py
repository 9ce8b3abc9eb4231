"""A certificate authority for tests, and contexts for servers that are written in Python."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

HERE = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path

    def server_context(self, *, clients_of: Path | None = None) -> ssl.SSLContext:
        """A server's TLS; with ``clients_of`` it asks for a certificate of that CA."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        if clients_of is not None:
            context.load_verify_locations(clients_of)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Authority:
    """A CA in a folder; ``ca`` is its certificate."""

    def __init__(self, folder: Path, name: str = "tests") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name = folder, x509.Name([_common_name(f"CA of {name}")])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = folder / f"{name}-ca.crt"
        made = self._builder(self._name, self._key.public_key(), days=30).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        signed = made.sign(self._key, SHA256())
        self.ca.write_bytes(signed.public_bytes(Encoding.PEM))

    def issue(self, name: str, *names: str, expired: bool = False) -> Pair:
        """A certificate for hosts ``names``, or for a client of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([_common_name(name)])
        made = self._builder(subject, key.public_key(), days=-1 if expired else 1)
        if names:
            made = made.add_extension(
                x509.SubjectAlternativeName([_host(each) for each in names]), critical=False
            )
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        signed = made.sign(self._key, SHA256())
        pair.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name, subject_name=subject, public_key=key,
            serial_number=x509.random_serial_number(), not_valid_before=now - timedelta(days=3),
            not_valid_after=now + timedelta(days=days),
        )  # fmt: skip


def _common_name(name: str) -> x509.NameAttribute[str]:
    return x509.NameAttribute(x509.NameOID.COMMON_NAME, name)


def _host(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
