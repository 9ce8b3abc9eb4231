"""Console, metrics and API over TLS: with the site's own CA, or a certificate that is renewed in its files."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509

from gateway import cli
from headrace.errors import TransportError
from headrace.health import probe
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import wait_until
from tests.servers.tls import HERE, Authority


@pytest.fixture
def programs(tmp_path):
    made = Programs(tmp_path)
    yield made
    made.close()


def started(programs: Programs, http: str, **options: object) -> Gateway:
    """A gateway whose HTTP side speaks TLS, ready."""
    made = make_gateway(programs, **options)  # type: ignore[arg-type]
    config = made.program.config
    config.write_text(config.read_text().replace("[http]\n", f"[http]\ntls = true\n{http}\n"))
    made.program.start()
    wait_until(lambda: answers(made), 60, "it is ready")
    return made


def answers(gateway: Gateway) -> bool:
    assert gateway.program.running, gateway.program.output()[-2000:]
    try:
        return bool(probe("127.0.0.1", gateway.http_port, "/readyz", tls=True))
    except TransportError:
        return False


def ask(gateway: Gateway, ca: Path, path: str) -> tuple[int, int]:
    """Status, and the serial number of the certificate, checked with its name."""
    context = ssl.create_default_context(cafile=str(ca))
    connection = http.client.HTTPSConnection(
        "localhost", gateway.http_port, timeout=20, context=context
    )
    connection.request("GET", path)
    der = connection.sock.getpeercert(binary_form=True)  # type: ignore[union-attr]
    status = connection.getresponse().status
    connection.close()
    return status, x509.load_der_x509_certificate(der).serial_number


def test_it_shows_the_certificate_of_the_sites_ca_and_the_commands_still_find_it(programs):
    """Made at the first start, as for brokers and readings by HTTP; plain text gets no answer."""
    gateway = started(programs, "", console=True)
    ca = gateway.data / "pki" / "ca.crt"
    for path in ("/", "/metrics", "/api/v1/devices"):
        assert ask(gateway, ca, path)[0] == 200
    with pytest.raises(TransportError):
        probe("127.0.0.1", gateway.http_port, "/readyz")
    for words in (["health"], ["doctor"]):
        done = CliRunner().invoke(cli.main, [*words, "--config", str(gateway.program.config)])
        assert done.exit_code == 0, done.output
    assert f"https://127.0.0.1:{gateway.http_port}" in gateway.program.output()


def test_a_certificate_that_is_renewed_in_its_files_is_shown_without_a_restart(programs, tmp_path):
    """As certbot does it."""
    authority = Authority(tmp_path)
    pair = authority.issue("server", *HERE)
    gateway = started(programs, f'certfile = "{pair.certificate}"\nkeyfile = "{pair.key}"')
    assert not (gateway.data / "pki").exists()
    before = ask(gateway, authority.ca, "/healthz")
    authority.issue("server", *HERE)
    after = ask(gateway, authority.ca, "/healthz")
    assert before[0] == after[0] == 200
    assert before[1] != after[1]
    assert "showing the renewed certificate" in gateway.program.output()


@pytest.mark.parametrize(
    ("http", "fault"),
    [
        ('certfile = "/nowhere"\nkeyfile = "/nowhere"', "http.certfile: no such file"),
        ('tls = true\ncertfile = "{}"', "http.certfile: certfile and keyfile belong together"),
        ('certfile = "{0}"\nkeyfile = "{0}"', "http.tls: expected true where certfile is given"),
    ],
)
def test_half_a_configuration_is_refused(programs, tmp_path, http, fault):
    """Before anything starts, with the key."""
    file = tmp_path / "file"
    file.touch()
    config = make_gateway(programs).program.config
    text = config.read_text().replace("[http]\n", f"[http]\n{http.format(file)}\n")
    config.write_text(text)
    done = CliRunner().invoke(cli.main, ["check-config", "--config", str(config)])
    assert done.exit_code == 2
    assert fault in done.output
