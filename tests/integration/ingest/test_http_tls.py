"""The HTTP ingest over TLS."""

from __future__ import annotations

import http.client
import json
import socket
import ssl

import pytest

from tests.http_ingest import make_site
from tests.programs import Programs
from tests.servers import wait_until

LINE = b"tank level=1.5 1790000000000000000"


@pytest.fixture
def programs(tmp_path):
    made = Programs(tmp_path)
    yield made
    made.close()


def post(port, context, token):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    try:
        connection.request("POST", "/api/v2/write", LINE, {"Authorization": f"Token {token}"})
        return connection.getresponse().status
    finally:
        connection.close()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_it_shows_the_certificate_of_the_sites_ca(programs):
    """Made at the first start; clients trust the site's CA and check the name."""
    site = make_site(programs, ingest="tls = true")
    site.gateway.start()
    wait_until(lambda: listens(site.port), 20, "the ingest listens")
    trusting = ssl.create_default_context(cafile=site.gateway.data / "pki" / "ca.crt")
    assert post(site.port, trusting, site.token()) == 204
    assert [reading[3] for reading in site.readings()] == [1.5]
    with pytest.raises(ssl.SSLCertVerificationError):
        post(site.port, ssl.create_default_context(), "x")
    with pytest.raises(http.client.BadStatusLine):
        site.request("GET", "/ping")


def test_it_shows_a_certificate_of_somebody_else(programs, tmp_path):
    """Here the one that another gateway's CA has made."""
    other = make_site(programs, ingest="tls = true", data=tmp_path / "other")
    other.gateway.start()
    pki = tmp_path / "other" / "pki"
    other.gateway.program.stop()
    certificate = f'tls = true\ncertfile = "{pki}/gateway.crt"\nkeyfile = "{pki}/gateway.key"'
    site = make_site(programs, ingest=certificate)
    site.gateway.start()
    wait_until(lambda: listens(site.port), 20, "the ingest listens")
    assert not (site.gateway.data / "pki").exists()
    trusting = ssl.create_default_context(cafile=pki / "ca.crt")
    assert post(site.port, trusting, site.token()) == 204


@pytest.mark.parametrize(
    ("ingest", "fault"),
    [
        ('host = "0.0.0.0"\ntls = false', "ingest.http.tls: tokens would cross the network"),
        ('certfile = "/nowhere"', "ingest.http.certfile: certfile and keyfile belong together"),
        ("port = 0", "ingest.http.port"),
    ],
)
def test_a_configuration_that_shows_tokens_is_refused(programs, ingest, fault):
    """Before anything starts, with the key."""
    site = make_site(programs, ingest="")
    text = site.gateway.program.config.read_text()
    if "port" in ingest:
        text = text.replace(f"port = {site.port}", ingest)
    else:
        text = text.replace("[ingest.http]\n", f"[ingest.http]\n{ingest}\n")
    site.gateway.program.config.write_text(text)
    site.gateway.program.start()
    wait_until(lambda: not site.gateway.program.running, 20, "it ends")
    assert fault in site.gateway.program.output()


def test_doctor_knows_the_port(programs):
    """Who listens there is one of its questions."""
    site = make_site(programs)
    site.start()
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "gateway", "doctor", "--json", "--config", str(site.gateway.program.config)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert f"{site.port} (ingest.http.port) is the gateway's" in json.dumps(json.loads(done.stdout))
