"""Who gets a certificate, and who does not."""

from __future__ import annotations

import stat

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.enrol.authority import Authority
from gateway.enrol.certificates import common_name
from gateway.enrol.limiter import GuessLimiter
from headrace.clock import ManualClock
from headrace.errors import EnrolmentError, StorageCorrupt, UsageError
from headrace.limits.enrolment import (
    ENROL_MAX_SOURCES,
    ENROL_MAX_WRONG,
    ENROL_MAX_WRONG_PER_SOURCE,
    ENROL_WINDOW_S,
)
from headrace.pki.messages import Application, Renewal

HERE = "192.0.2.1"


def invite(site, device="pump-1", *, valid_s=900, replace=False):
    return site.desk.open_code(device, valid_s=valid_s, replace_key=replace).secret


def enrol(site, applicant, device="pump-1", *, replace=False):
    secret = invite(site, device, replace=replace)
    return site.desk.enrol(applicant.application(secret), HERE)


def certificate_of(issued):
    return x509.load_pem_x509_certificate(issued.certificate.encode())


def refused(site, application, source=HERE):
    with pytest.raises(EnrolmentError) as caught:
        site.desk.enrol(application, source)
    assert caught.value.hint
    return caught.value.reason


def test_a_code_buys_a_client_certificate_in_the_name_of_the_code(site, applicants):
    """Whatever the request says of itself; and for nothing but client authentication."""
    issued = enrol(site, applicants[0])
    certificate = certificate_of(issued)
    assert common_name(certificate) == issued.device == "pump-1"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate.verify_directly_issued_by(site.authority.ca)
    assert site.desk.refusal("pump-1", certificate.serial_number) == ""


def test_a_code_serves_one_key_only(site, applicants):
    """The second device is refused; the first may ask again, because its answer may have been lost."""
    secret = invite(site)
    site.desk.enrol(applicants[0].application(secret), HERE)
    assert refused(site, applicants[1].application(secret)) == "bad_code"
    assert site.desk.enrol(applicants[0].application(secret), HERE).device == "pump-1"


def test_a_code_that_is_over_is_refused(site, applicants, clock):
    """It lives as long as was said."""
    secret = invite(site, valid_s=60)
    clock.advance(60)
    assert refused(site, applicants[0].application(secret)) == "bad_code"


def test_a_newer_code_for_a_device_ends_the_older(site, applicants):
    """Whoever finds the first note gets nothing."""
    old = invite(site)
    invite(site)
    assert refused(site, applicants[0].application(old)) == "bad_code"


def test_a_name_that_belongs_to_another_key_is_taken(site, applicants):
    """Until it is revoked, or the code says that the new device takes its place."""
    enrol(site, applicants[0])
    secret = invite(site)
    assert refused(site, applicants[1].application(secret)) == "taken"
    site.revoke("pump-1")
    assert enrol(site, applicants[1]).device == "pump-1"


def test_replace_revokes_the_old_key_in_the_same_step(site, applicants):
    """There are never two devices of one name."""
    old = certificate_of(enrol(site, applicants[0]))
    new = certificate_of(enrol(site, applicants[1], replace=True))
    assert "revoked" in site.desk.refusal("pump-1", old.serial_number)
    assert site.desk.refusal("pump-1", new.serial_number) == ""


def test_a_code_for_another_device_is_not_used_up(site, applicants):
    """The agent's configuration says pump-2: the operator has mixed up two notes."""
    secret = invite(site)
    assert refused(site, applicants[0].application(secret, "pump-2")) == "wrong_device"
    assert site.desk.enrol(applicants[0].application(secret, "pump-1"), HERE).device == "pump-1"


@pytest.mark.parametrize("csr", ["", "no request", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"])
def test_a_request_that_is_none_is_refused(site, csr):
    """And leaves the code usable."""
    secret = invite(site)
    with pytest.raises(EnrolmentError) as caught:
        site.desk.enrol(Application(secret.hex(), csr), HERE)
    assert caught.value.reason == "bad_request"


@pytest.mark.parametrize("secret", ["", "xyz", "00" * 5, "00" * 500])
def test_wrong_codes_are_refused(site, applicants, secret):
    """Whatever they look like."""
    assert refused(site, Application(secret, applicants[0].csr())) == "bad_code"


def test_who_guesses_waits_and_others_do_not(site, applicants, clock):
    """The right code helps no more, until the window has passed."""
    secret = invite(site, valid_s=ENROL_WINDOW_S * 3)
    for guess in range(ENROL_MAX_WRONG_PER_SOURCE):
        assert refused(site, Application(f"{guess:010x}", "")) == "bad_code"
    assert refused(site, applicants[0].application(secret)) == "too_many"
    assert site.desk.enrol(applicants[0].application(secret), "192.0.2.2").device == "pump-1"
    clock.advance(ENROL_WINDOW_S)
    assert site.desk.enrol(applicants[0].application(secret), HERE).device == "pump-1"


def test_guesses_from_everywhere_are_bounded_too():
    """A botnet has many addresses; the memory for them is bounded as well."""
    limiter = GuessLimiter()
    for number in range(ENROL_MAX_WRONG):
        limiter.wrong(f"source-{number}", 0.0)
    assert limiter.wait_s("somebody else", 1.0) == ENROL_WINDOW_S - 1
    assert limiter.wait_s("somebody else", ENROL_WINDOW_S) == 0
    for number in range(2 * ENROL_MAX_SOURCES):
        limiter.wrong(f"later-{number}", 1.0)
    assert len(limiter._sources) == ENROL_MAX_SOURCES


def test_renewal_gives_the_same_name_and_not_to_the_revoked(site, applicants, clock):
    """The old certificate stays good until it ends, for the case that the answer is lost."""
    first = certificate_of(enrol(site, applicants[0]))
    clock.advance(300 * 24 * 3600)
    second = certificate_of(site.desk.renew(Renewal(applicants[0].csr()), first, HERE))
    assert common_name(second) == "pump-1"
    assert second.not_valid_after_utc > first.not_valid_after_utc
    assert site.desk.refusal("pump-1", first.serial_number) == ""
    site.revoke("pump-1")
    with pytest.raises(EnrolmentError, match="revoked"):
        site.desk.renew(Renewal(applicants[0].csr()), second, HERE)


def test_a_certificate_that_is_not_written_down_is_not_good(site, applicants):
    """The CA's key alone makes no device."""
    forged = site.authority.issue(applicants[0].csr(), "pump-1", 10)
    assert "not known" in site.desk.refusal("pump-1", forged.serial_number)


@pytest.mark.parametrize("name", ["", "headrace:gateway", "a/b", "+", "-x", "x" * 65])
def test_nobody_is_invited_under_a_name_that_is_no_device_id(site, name):
    """The gateway's own name has a colon, so that nobody can enrol as the gateway."""
    with pytest.raises(UsageError):
        invite(site, name)


def test_keys_are_for_their_owner_alone(site):
    """Folder 0700, keys and registry 0600."""
    paths = site.authority.paths
    assert stat.S_IMODE(paths.folder.stat().st_mode) == 0o700
    for path in (paths.ca_key, paths.gateway.key, paths.commands.key, paths.registry):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_ca_is_made_once(site, clock):
    """Another process finds the same one."""
    again = Authority(site.authority.paths.folder, site="site-1", clock=clock)
    assert again.ca == site.authority.ca


def test_a_ca_that_lost_its_key_says_what_to_restore(site, clock):
    """Never is a new one made silently: every device would have to be enrolled again."""
    site.authority.paths.ca_key.write_bytes(b"")
    with pytest.raises(StorageCorrupt, match="backup"):
        Authority(site.authority.paths.folder, site="site-1", clock=clock)


def test_a_clock_that_was_never_set_signs_nothing(tmp_path):
    """Certificates dated 1970 would be over when the clock is right."""
    with pytest.raises(EnrolmentError, match="set the gateway's clock"):
        Authority(tmp_path / "pki", site="site-1", clock=ManualClock(0))


def test_the_gateways_certificate_follows_names_and_is_renewed(site, clock):
    """Without anybody's doing; unchanged it stays."""
    paths = site.authority.paths
    before = paths.gateway.certificate.read_bytes()
    site.authority.ensure_own(site.names)
    assert paths.gateway.certificate.read_bytes() == before
    site.authority.ensure_own([*site.names, "gw.example"])
    named = paths.gateway.certificate.read_bytes()
    assert named != before
    clock.advance(560 * 24 * 3600)
    site.authority.ensure_own([*site.names, "gw.example"])
    assert paths.gateway.certificate.read_bytes() != named
