"""The agent over TLS with a client certificate; and a broker that denies the topic."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import wait_until
from tests.servers.agent import agent, log_of, write_agent_config
from tests.servers.mosquitto import mosquitto

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

HOST = '[[inputs]]\nplugin = "host"\n'


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a server for 127.0.0.1 and the device pump-1."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2",
            "-subj", "/CN=test ca")  # fmt: skip
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n", encoding="utf-8")
    (folder / "pump-1.ext").write_text("extendedKeyUsage=clientAuth\n", encoding="utf-8")
    for name in ("server", "pump-1"):
        openssl(
            folder,
            "req",
            *key,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
        )
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.crt", "-days", "2", "-extfile", f"{name}.ext")  # fmt: skip
    return folder


def tls_lines(certificates: Path, acl: Path) -> list[str]:
    return [
        f"cafile {certificates / 'ca.crt'}",
        f"certfile {certificates / 'server.crt'}",
        f"keyfile {certificates / 'server.key'}",
        "require_certificate true",
        "use_identity_as_username true",
        f"acl_file {acl}",
        "log_type all",
    ]


def tls_settings(certificates: Path) -> str:
    return (
        f'tls = true\nca = "{certificates / "ca.crt"}"\n'
        f'cert = "{certificates / "pump-1.crt"}"\nkey = "{certificates / "pump-1.key"}"\n'
    )


def broker_log(folder: Path) -> str:
    return (folder / "mosquitto" / "log.txt").read_text(encoding="utf-8")


def test_batches_travel_over_tls_with_a_client_certificate(
    tmp_path: Path, certificates: Path
) -> None:
    """The device's name is in its certificate, and the ACL gives it its own topics."""
    acl = tmp_path / "acl"
    acl.write_text("pattern readwrite headrace/v1/%u/#\n", encoding="utf-8")
    with mosquitto(tmp_path, lines=tls_lines(certificates, acl), anonymous=False) as broker:
        config = write_agent_config(
            tmp_path, port=broker.port, inputs=HOST, uplink=tls_settings(certificates)
        )
        with agent(config):
            wait_until(
                lambda: (
                    "Received PUBLISH from headrace-pump-1 (d0, q1" in broker_log(tmp_path)
                    and "headrace/v1/pump-1/data/arrow" in broker_log(tmp_path)
                ),
                15,
                "a batch over TLS",
            )


def test_a_denied_topic_does_not_become_a_loop(tmp_path: Path, certificates: Path) -> None:
    """mosquitto drops the connection at the publish; the agent says what it may be, and slows down."""
    acl = tmp_path / "acl"
    acl.write_text("pattern read headrace/v1/%u/#\n", encoding="utf-8")
    with mosquitto(tmp_path, lines=tls_lines(certificates, acl), anonymous=False) as broker:
        config = write_agent_config(
            tmp_path, port=broker.port, inputs=HOST, uplink=tls_settings(certificates)
        )
        with agent(config) as process:
            wait_until(lambda: "does the broker's ACL allow" in log_of(config), 15, "the reason")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(3)
    connects = broker_log(tmp_path).count("New client connected")
    assert connects < 20
