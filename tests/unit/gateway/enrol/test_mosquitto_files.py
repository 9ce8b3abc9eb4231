"""ACL and revocation list of an external mosquitto."""

from __future__ import annotations

from cryptography import x509

from gateway.enrol.mosquitto import acl, denied


def enrol(site, applicant, device):
    secret = site.desk.open_code(device, valid_s=60, replace_key=True).secret
    return site.desk.enrol(applicant.application(secret), "here")


def test_a_revoked_device_is_denied_until_it_is_enrolled_again(site, applicants, tmp_path):
    """Its old certificates stay on the list; others are not touched."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    enrol(site, applicants[0], "pump-1")
    enrol(site, applicants[1], "pump-2")
    site.revoke("pump-1")
    assert denied(site.entries()) == ["pump-1"]
    assert "user pump-1\ntopic deny headrace/v1/#" in (folder / "acl").read_text()
    crl = x509.load_pem_x509_crl((folder / "crl.pem").read_bytes())
    assert len(crl) == 1
    assert crl.next_update_utc == site.authority.ca.not_valid_after_utc
    enrol(site, applicants[0], "pump-1")
    assert "deny" not in (folder / "acl").read_text()
    assert len(x509.load_pem_x509_crl((folder / "crl.pem").read_bytes())) == 1


def test_files_are_rewritten_only_when_they_say_something_else(site, applicants, tmp_path):
    """A reload of the broker for every enrolment would be noise."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    assert site.write_files(folder)
    enrol(site, applicants[0], "pump-1")
    assert not site.write_files(folder)


def test_the_acl_gives_a_device_its_own_topics():
    """By pattern, so that a new device needs no change."""
    text = acl([], "site/a")
    assert "user headrace:gateway\ntopic readwrite site/a/#" in text
    assert "pattern write site/a/%u/data/+" in text
    assert "pattern read site/a/%u/ack" in text
