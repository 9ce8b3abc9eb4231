"""ACL and revocation list of an external mosquitto."""

from __future__ import annotations

from cryptography import x509

from gateway.enrol.config import EnrolConfig
from gateway.enrol.expel import BrokerAddress
from gateway.enrol.mosquitto import acl, denied
from gateway.enrol.site import SitePki
from headrace.wire import FORMATS
from tests.servers import free_port


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
    assert all(f"pattern write site/a/%u/data/{name}\n" in text for name in FORMATS)
    assert "data/+" not in text
    assert "pattern read site/a/%u/ack" in text


def test_a_revocation_list_is_dated_later_than_the_one_before(site, applicants, tmp_path):
    """Of two of one second OpenSSL would ask the older one; the clock stands still here."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    dates = []
    for number, applicant in enumerate(applicants):
        enrol(site, applicant, f"pump-{number}")
        site.revoke(f"pump-{number}")
        dates.append(x509.load_pem_x509_crl((folder / "crl.pem").read_bytes()).last_update_utc)
    assert dates[0] < dates[1]


def test_a_broker_that_is_away_does_not_hold_up_a_revocation(tmp_path, clock, applicants):
    """It holds no connections, and reads the list when it starts."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    site = SitePki(
        EnrolConfig(enabled=True, mosquitto_dir=folder), data_dir=tmp_path / "data", site="site-1",
        hosts=[], broker_host="", broker_port=8883, topic_root="headrace/v1", clock=clock,
        broker=BrokerAddress("127.0.0.1", free_port()),
    )  # fmt: skip
    enrol(site, applicants[0], "pump-1")
    assert site.revoke("pump-1") == 1
    assert denied(site.entries()) == ["pump-1"]
    site.close()
