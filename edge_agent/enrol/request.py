"""The device's key and its request for a certificate (the one place here that needs `cryptography`)."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headrace.errors import StorageCorrupt, StorageError


def new_key() -> bytes:
    """A fresh EC P-256 key, PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def request_for(key_file: Path) -> str:
    """A certificate request signed with the key, PEM. Its subject is empty: the gateway knows who we are.

    Raises:
        StorageError: the key cannot be read.
        StorageCorrupt: it is no EC key.
    """
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except OSError as error:
        raise StorageError(f"{key_file}: {error}", hint="run this with sudo") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(key_file) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _no_key(key_file)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _no_key(path: Path) -> StorageCorrupt:
    return StorageCorrupt(
        f"{path} is not a key that enrolment has made",
        hint="move it away and enrol again, on the gateway with `gateway enroll DEVICE --replace`",
    )
