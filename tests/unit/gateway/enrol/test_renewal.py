"""What the gateway shows itself is renewed while it runs."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from gateway.enrol.config import EnrolConfig
from gateway.enrol.server import EnrolServer
from tests.servers import free_port


def shown(port: int) -> str:
    """The certificate that a listener shows, whoever has signed it."""
    return ssl.get_server_certificate(("127.0.0.1", port))


def test_a_listener_shows_the_renewed_certificate_from_the_next_handshake_on(site, clock):
    """Without a restart; the one before was good until then."""
    asyncio.run(_renew_while_it_listens(site, clock))


async def _renew_while_it_listens(site, clock) -> None:
    port = free_port()
    server = EnrolServer(
        EnrolConfig(host="127.0.0.1", port=port), site.desk, site.server_context()
    )  # fmt: skip
    await server.start()
    before = await asyncio.to_thread(shown, port)
    clock.advance(500 * 24 * 3600)
    assert not site.renew()
    assert await asyncio.to_thread(shown, port) == before
    clock.advance(60 * 24 * 3600)
    assert site.renew()
    assert await asyncio.to_thread(shown, port) != before
    await server.stop()


def test_the_brokers_certificate_is_renewed_and_its_watcher_told(site, clock, tmp_path: Path):
    """The revision changes with it, and with nothing else."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    site.renew()
    files = {name: (folder / name).read_bytes() for name in ("broker.crt", "revision", "acl")}
    clock.advance(10 * 24 * 3600)
    site.renew()
    assert {name: (folder / name).read_bytes() for name in files} == files
    clock.advance(550 * 24 * 3600)
    assert min(site.days_left().values()) < 300
    site.renew()
    assert (folder / "broker.crt").read_bytes() != files["broker.crt"]
    assert (folder / "revision").read_bytes() != files["revision"]
    assert (folder / "acl").read_bytes() == files["acl"]
    assert set(site.days_left()) == {"gateway", "broker"}
    assert min(site.days_left().values()) > 800


def test_each_connection_to_a_broker_has_a_name_of_its_own(site, tmp_path: Path):
    """At mosquitto the name is the client id: two of the same would end one another."""
    assert site.authority.ensure_own(site.names, 3)
    assert not site.authority.ensure_own(site.names, 3)
    names = {path.name for path in (tmp_path / "pki").glob("gateway*.crt")}
    assert names == {"gateway.crt", "gateway-1.crt", "gateway-2.crt"}


def test_devices_whose_certificates_end_within_a_month_are_counted(site, clock, applicants):
    """Those that have renewed are not, nor those that are out already."""
    for applicant, device in zip(applicants, ("pump-1", "pump-2"), strict=True):
        secret = site.desk.open_code(device, valid_s=60, replace_key=False).secret
        site.desk.enrol(applicant.application(secret), "here")
    assert site.ending() == 0
    clock.advance(340 * 24 * 3600)
    assert site.ending() == 2
    site.revoke("pump-1")
    assert site.ending() == 1
