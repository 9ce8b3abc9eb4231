"""A listener shows the certificate that is in its files, from the next handshake on."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from gateway.listener_tls import renewed_context
from headrace.errors import StorageError
from tests.servers.tls import HERE, Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def shown(server: ssl.SSLContext, ca: Path, name: str | None = "localhost") -> int:
    """Serial number of the certificate that a client gets to see, by a handshake in memory."""
    client = ssl.create_default_context(cafile=str(ca))
    client.check_hostname = name is not None
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname=name)
    far = server.wrap_bio(up, down, server_side=True)
    for side in (near, far, near, far):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    der = near.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def serial(pair: Pair) -> int:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes()).serial_number


def exchange(source: Path, target: Path) -> None:
    """As careful programs do it: another file under the same name."""
    beside = target.with_suffix(".new")
    beside.write_bytes(source.read_bytes())
    beside.replace(target)


@pytest.mark.parametrize("name", ["localhost", None])
def test_a_renewed_certificate_is_shown_without_a_restart(
    authority: Authority, name: str | None
) -> None:
    """To clients that say a name, and to those that say none."""
    pair = authority.issue("server", *HERE)
    context, first = renewed_context(pair.certificate, pair.key), serial(pair)
    assert shown(context, authority.ca, name) == first
    authority.issue("server", *HERE)
    assert serial(pair) != first
    assert shown(context, authority.ca, name) == serial(pair)


def test_files_that_do_not_fit_leave_what_was_good_before(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """Certificate and key are exchanged one after the other; somebody comes in between."""
    pair, other = authority.issue("server", *HERE), authority.issue("other", *HERE)
    context, first = renewed_context(pair.certificate, pair.key), serial(pair)
    exchange(other.certificate, pair.certificate)
    assert shown(context, authority.ca) == first
    assert "going on with the one of before" in caplog.text
    exchange(other.key, pair.key)
    assert shown(context, authority.ca) == serial(other)
    pair.key.unlink()
    assert shown(context, authority.ca) == serial(other)


def test_files_that_do_not_fit_at_the_start_are_an_error(authority: Authority) -> None:
    """There is nothing good before it."""
    pair, other = authority.issue("server", *HERE), authority.issue("other", *HERE)
    with pytest.raises(StorageError, match="key values mismatch"):
        renewed_context(pair.certificate, other.key)
