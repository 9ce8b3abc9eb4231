"""What stands in certificates and requests; no files, no keys of ours."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headrace.errors import EnrolmentError


def public_key_of(csr_pem: str) -> ec.EllipticCurvePublicKey:
    """The key of a certificate request, whose signature shows that the sender has it.

    Raises:
        EnrolmentError: it is not a sound request for an EC P-256 key.
    """
    try:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        sound = csr.is_signature_valid
        key = csr.public_key()
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise EnrolmentError("bad_request", f"not a certificate request: {error}") from error
    if not sound:
        raise EnrolmentError("bad_request", "the certificate request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise EnrolmentError("bad_request", "expected a key on the curve P-256")
    return key


def key_fingerprint(key: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-256 of the public key: what tells one device's key from another's."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return digest.finalize()


def common_name(certificate: x509.Certificate) -> str:
    """Who the certificate speaks for; empty when it does not say."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def name(text: str) -> x509.Name:
    """A subject that is a common name and nothing else."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def key_usage(*, ca: bool = False) -> x509.KeyUsage:
    """Sign certificates and lists (a CA), or sign handshakes (everybody else)."""
    return x509.KeyUsage(
        digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def alternative_names(names: Sequence[str]) -> list[x509.GeneralName]:
    """Host names and addresses as they stand in a server certificate."""
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found
