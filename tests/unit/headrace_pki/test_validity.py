"""From when to when a certificate is good, read without a package that could do it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.enrol.authority import Authority
from headrace.clock import SystemClock
from headrace.pki.validity import Validity, read_validity

_DAY_US = 24 * 3600 * 1_000_000


def test_the_times_are_those_that_the_certificate_says(tmp_path: Path) -> None:
    """Of a device's, and of a CA's that ends after 2050, where DER writes years differently."""
    authority = Authority(tmp_path / "pki", site="site-1", clock=SystemClock())
    for days in (1, 90, 365, 10_000):
        _, made = authority.new_client("pump-1", days)
        found = read_validity(made.public_bytes(Encoding.PEM))
        assert found.not_before == made.not_valid_before_utc.timestamp() * 1_000_000
        assert found.not_after == made.not_valid_after_utc.timestamp() * 1_000_000
    ca = read_validity(authority.ca_pem.encode())
    assert ca.not_after == authority.ca.not_valid_after_utc.timestamp() * 1_000_000


def test_a_year_after_2050_is_read_too() -> None:
    """GeneralizedTime, by hand: no CA of ours lives that long."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key, start = ec.generate_private_key(ec.SECP256R1()), datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=30 * 365))
        .sign(key, hashes.SHA256())
    )
    found = read_validity(made.public_bytes(Encoding.PEM))
    assert found.not_after - found.not_before == 30 * 365 * _DAY_US


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMAIwAA==\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_certificate_is_said_to_be_none(damaged: bytes) -> None:
    """Never another error, whatever is in the file."""
    with pytest.raises(ValueError, match="certificate"):
        read_validity(damaged)


@pytest.mark.parametrize(
    ("days_since", "due"),
    [(-1, False), (0, False), (59, False), (61, True), (89, True), (91, True)],
)
def test_it_is_due_when_less_than_a_third_is_left(days_since: int, due: bool) -> None:
    """And never before it begins: then the clock is wrong."""
    validity = Validity(1_000 * _DAY_US, 1_090 * _DAY_US)
    assert validity.is_due((1_000 + days_since) * _DAY_US) is due
    assert validity.days_left((1_000 + days_since) * _DAY_US) == 90 - days_since
