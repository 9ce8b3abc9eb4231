"""What the CA signs, judged by OpenSSL."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from gateway.enrol.authority import Authority
from gateway.enrol.files import write_private
from headrace.clock import SystemClock

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def openssl(folder, *words):
    return subprocess.run(
        ["openssl", *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(params=["our own CA", "a CA of openssl"])
def authority(request, tmp_path):
    """Both kinds: the one that is made at the first use, and one that the site has already."""
    folder = tmp_path / "pki"
    if request.param == "a CA of openssl":
        folder.mkdir(mode=0o700)
        made = openssl(
            folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "3650", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=their CA",
            "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
    return Authority(folder, site="site-1", clock=SystemClock())


def test_openssl_accepts_the_certificates_in_strict_mode(authority, applicants):
    """A device's for clients only, the gateway's for both; Python 3.13 is strict by default."""
    folder = authority.paths.folder
    authority.ensure_own(["gw.local", "192.0.2.1"])
    device = authority.issue(applicants[0].csr(), "pump-1", 30)
    from cryptography.hazmat.primitives.serialization import Encoding

    (folder / "device.crt").write_bytes(device.public_bytes(Encoding.PEM))
    verify = ("verify", "-x509_strict", "-CAfile", "ca.crt", "-purpose")
    for purpose, name, good in [
        ("sslclient", "device.crt", True),
        ("sslserver", "device.crt", False),
        ("sslclient", "gateway.crt", True),
        ("sslserver", "gateway.crt", True),
    ]:
        result = openssl(folder, *verify, purpose, name)
        assert (result.returncode == 0) is good, result.stderr
    named = openssl(folder, *verify, "sslserver", "-verify_ip", "192.0.2.1", "gateway.crt")
    assert named.returncode == 0, named.stderr


def test_openssl_reads_the_revocation_list(authority, applicants):
    """Revoked is revoked, and the others are not."""
    folder = authority.paths.folder
    from cryptography.hazmat.primitives.serialization import Encoding

    bad, good = (authority.issue(one.csr(), "pump-1", 30) for one in applicants)
    for name, certificate in (("bad.crt", bad), ("good.crt", good)):
        (folder / name).write_bytes(certificate.public_bytes(Encoding.PEM))
    now = SystemClock().now_us()
    write_private(folder / "crl.pem", authority.revocation_list([(bad.serial_number, now)]))
    check = ("verify", "-crl_check", "-CRLfile", "crl.pem", "-CAfile", "ca.crt")
    assert openssl(folder, *check, "good.crt").returncode == 0
    assert "revoked" in openssl(folder, *check, "bad.crt").stderr
