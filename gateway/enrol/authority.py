"""The site's certificate authority: its key, and everything that it signs.

``data_dir/pki`` (mode 0700) holds ca.key and ca.crt, gateway.key and gateway.crt. All keys are EC
P-256, which the smallest devices can do. The CA signs server certificates for gateway and broker
(their extended key usage says server) and client certificates for devices (client only): a
device's certificate can never stand in for the gateway, though both come from one CA.

Whoever reads ca.key can make himself any device. It is on the gateway, because codes must work
while the site is offline; docs/decisions/0007 says what that costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.enrol.certificates import alternative_names, key_usage, name, public_key_of
from gateway.enrol.files import locked, private_pem, write_private, write_public
from headrace.clock import Clock
from headrace.errors import EnrolmentError, StorageCorrupt, StorageError
from headrace.limits import (
    CA_DAYS,
    CERTIFICATE_BACKDATE_H,
    GATEWAY_CERTIFICATE_DAYS,
    RENEW_BEFORE_DAYS,
)
from headrace.pki.names import (
    CA_FILE,
    GATEWAY_CERTIFICATE_FILE,
    GATEWAY_KEY_FILE,
    GATEWAY_NAME,
)

#: A clock before this was never set: what it dates would be over when the clock is right.
_EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)
_PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of ``data_dir/pki``."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / CA_FILE

    @property
    def ca_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        return self.folder / GATEWAY_CERTIFICATE_FILE

    @property
    def key(self) -> Path:
        return self.folder / GATEWAY_KEY_FILE

    @property
    def registry(self) -> Path:
        return self.folder / "enrol.db"


class Authority:
    """Signs for one site; makes its CA at the first use."""

    def __init__(self, folder: Path, *, site: str, clock: Clock) -> None:
        self.paths = Paths(folder)
        self._clock = clock
        with locked(self.paths.folder):
            if not self.paths.ca.exists():
                self._make_ca(site)
            self.ca, self._key = self._read_ca()

    @property
    def ca_pem(self) -> str:
        return self.ca.public_bytes(_PEM).decode()

    @property
    def ca_der(self) -> bytes:
        return self.ca.public_bytes(serialization.Encoding.DER)

    def ensure_gateway_certificate(self, names: Sequence[str]) -> None:
        """Make or renew the gateway's own: when names change, and a month before its end."""
        with locked(self.paths.folder):
            if not self._gateway_certificate_is_good(names):
                key, certificate = self.new_server(GATEWAY_NAME, names, client=True)
                write_private(self.paths.key, key)
                write_public(self.paths.certificate, certificate)

    def new_server(
        self, common_name: str, names: Sequence[str], *, client: bool = False
    ) -> tuple[bytes, bytes]:
        """A key and a certificate, PEM, for a server that is reached under ``names``."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH]
        usages += [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
        builder = self._builder(common_name, key.public_key(), GATEWAY_CERTIFICATE_DAYS, usages)
        builder = builder.add_extension(
            x509.SubjectAlternativeName(alternative_names(names)), critical=False
        )
        return private_pem(key), self._sign(builder).public_bytes(_PEM)

    def issue(self, csr_pem: str, device: str, days: int) -> x509.Certificate:
        """A client certificate for the key of a request; nothing else in the request counts.

        Raises:
            EnrolmentError: the request is not sound.
        """
        key = public_key_of(csr_pem)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._sign(self._builder(device, key, days, usages))

    def revocation_list(self, serials: Sequence[tuple[int, int]]) -> bytes:
        """(serial, revoked at in microseconds) as a CRL, PEM.

        It ends with the CA: OpenSSL refuses every client once a list is over, and a site that is
        offline for a year must not lock itself out.
        """
        now = self._now()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.ca.subject)
            .last_update(now - timedelta(hours=CERTIFICATE_BACKDATE_H))
            .next_update(self.ca.not_valid_after_utc)
        )
        for serial, revoked_at in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial)
            entry = entry.revocation_date(_from_us(revoked_at))
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM)

    def _builder(
        self,
        common_name: str,
        key: ec.EllipticCurvePublicKey,
        days: int,
        usages: Sequence[x509.ObjectIdentifier],
    ) -> x509.CertificateBuilder:
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        now = self._now()
        return (
            x509.CertificateBuilder()
            .subject_name(name(common_name))
            .issuer_name(self.ca.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=CERTIFICATE_BACKDATE_H))
            .not_valid_after(min(now + timedelta(days=days), self.ca.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(issuer_key, critical=False)
        )

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self._key, hashes.SHA256())

    def _make_ca(self, site: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = name(f"Headrace CA of {site}")
        now = self._now()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=CERTIFICATE_BACKDATE_H))
            .not_valid_after(now + timedelta(days=CA_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(ca=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        write_private(self.paths.ca_key, private_pem(key))
        write_public(self.paths.ca, certificate.public_bytes(_PEM))

    def _read_ca(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        paths = self.paths
        try:
            certificate = x509.load_pem_x509_certificate(paths.ca.read_bytes())
            key = serialization.load_pem_private_key(paths.ca_key.read_bytes(), None)
        except OSError as error:
            raise StorageError(f"the site's CA in {paths.folder}: {error}") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _damaged(paths.folder, str(error)) from error
        if (
            not isinstance(key, ec.EllipticCurvePrivateKey)
            or key.public_key() != certificate.public_key()
        ):
            raise _damaged(paths.folder, "ca.key and ca.crt do not belong together")
        return certificate, key

    def _gateway_certificate_is_good(self, names: Sequence[str]) -> bool:
        paths = self.paths
        if not (paths.certificate.exists() and paths.key.exists()):
            return False
        certificate = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
        left = certificate.not_valid_after_utc - self._now()
        sans = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return (
            left > timedelta(days=RENEW_BEFORE_DAYS)
            and certificate.issuer == self.ca.subject
            and set(sans) == set(alternative_names(names))
        )

    def _now(self) -> datetime:
        now = _from_us(self._clock.now_us())
        if now < _EARLIEST:
            raise EnrolmentError(
                "bad_request",
                f"the gateway's clock says {now:%Y-%m-%d %H:%M}, so nothing can be signed",
                hint="set the gateway's clock first (timedatectl set-ntp true)",
            )
        return now


def _from_us(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, tz=UTC)


def _damaged(folder: Path, why: str) -> StorageCorrupt:
    return StorageCorrupt(
        f"the site's CA in {folder} cannot be used: {why}",
        hint="restore ca.key and ca.crt from a backup; without one, move the folder away and enrol "
        "every device again",
    )
