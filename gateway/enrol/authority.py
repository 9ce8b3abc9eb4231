"""The site's certificate authority: its key, and everything that it signs.

``data_dir/pki`` (mode 0700) holds ca.key and ca.crt, and key and certificate of the gateway and of its
commands. All keys are EC P-256, which the smallest devices can do. The CA signs server certificates for gateway and broker
(their extended key usage says server, and client too) and client certificates for devices (client only): a
device's certificate can never stand in for the gateway, though both come from one CA.

Whoever reads ca.key can make himself any device. It is on the gateway, because codes must work
while the site is offline; docs/decisions/0007 says what that costs.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from gateway.enrol.paths import Pair, Paths
from headrace.clock import Clock
from headrace.errors import EnrolmentError, StorageCorrupt, StorageError
from headrace.limits.enrolment import CA_DAYS, CERTIFICATE_BACKDATE_H, GATEWAY_CERTIFICATE_DAYS
from headrace.pki.names import COMMANDS_NAME, link_name
from headrace.pki.validity import Validity, read_validity

#: A clock before this was never set: what it dates would be over when the clock is right.
_EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)
_PEM: Final = serialization.Encoding.PEM


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

    def ensure_own(self, names: Sequence[str], connections: int = 1) -> bool:
        """Make or renew what the gateway shows itself; whether anything was written."""
        changed = self.ensure_server(self.paths.commands, COMMANDS_NAME, names)
        for number in range(connections):
            changed |= self.ensure_server(self.paths.link(number), link_name(number), names)
        return changed

    def ensure_server(self, pair: Pair, common_name: str, names: Sequence[str]) -> bool:
        """Make or renew a certificate for server and client: when names change, and when it is due."""
        with locked(self.paths.folder):
            if self._is_good(pair, names):
                return False
            key, certificate = self.new_server(common_name, names)
            write_private(pair.key, key)
            write_public(pair.certificate, certificate)
        return True

    def validity(self, pair: Pair) -> Validity:
        """When one of ours ends.

        Raises:
            StorageError: it cannot be read.
        """
        try:
            return read_validity(pair.certificate.read_bytes())
        except OSError as error:
            raise StorageError(f"{pair.certificate}: {error}") from error
        except ValueError as error:
            raise _damaged(pair.certificate.parent, str(error)) from error

    def new_server(self, common_name: str, names: Sequence[str]) -> tuple[bytes, bytes]:
        """A key and a certificate, PEM, for a server that is reached under ``names``."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = self._builder(common_name, key.public_key(), GATEWAY_CERTIFICATE_DAYS, usages)
        builder = builder.add_extension(
            x509.SubjectAlternativeName(alternative_names(names)), critical=False
        )
        return private_pem(key), self._sign(builder).public_bytes(_PEM)

    def new_client(self, common_name: str, days: float) -> tuple[bytes, x509.Certificate]:
        """A key, PEM, and a certificate that speaks for a device; for the gateway's own use."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(
            common_name, key.public_key(), days, [ExtendedKeyUsageOID.CLIENT_AUTH]
        )
        return private_pem(key), self._sign(builder)

    def issue(self, csr_pem: str, device: str, days: int) -> x509.Certificate:
        """A client certificate for the key of a request; nothing else in the request counts.

        Raises:
            EnrolmentError: the request is not sound.
        """
        key = public_key_of(csr_pem)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._sign(self._builder(device, key, days, usages))

    def revocation_list(
        self, serials: Sequence[tuple[int, int]], *, after: datetime | None = None
    ) -> bytes:
        """(serial, revoked at in microseconds) as a CRL, PEM.

        It ends with the CA: OpenSSL refuses every client once a list is over, and a site that is
        offline for a year must not lock itself out. It is dated later than the list before it
        (``after``): mosquitto keeps both, and of two of the same second OpenSSL asks the older one.
        """
        dated = self._now() - timedelta(hours=CERTIFICATE_BACKDATE_H)
        if after is not None:
            dated = max(dated, after + timedelta(seconds=1))
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.ca.subject)
            .last_update(dated)
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
        days: float,
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

    def _is_good(self, pair: Pair, names: Sequence[str]) -> bool:
        if not (pair.certificate.exists() and pair.key.exists()):
            return False
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        sans = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        now_us = round(self._now().timestamp()) * 1_000_000
        return (
            not self.validity(pair).is_due(now_us)
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
