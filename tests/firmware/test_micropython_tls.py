"""The MicroPython firmware over mutual TLS to mosquitto, and a broker that is not the right one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.firmware.conftest import Board
from tests.firmware.ledger import compare
from tests.firmware.test_micropython import FIRMWARE, HEAP, HERE, more_readings, write_settings
from tests.firmware.tools import tool
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.link import Link
from tests.servers.mosquitto import mosquitto

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(folder: Path, *words: str) -> None:
    subprocess.run([tool("openssl"), *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA with a server and the device mp-1, and another CA; DER for MicroPython, as the README says."""
    folder = tmp_path_factory.mktemp("certificates")
    for ca in ("ca", "other"):
        openssl(folder, "req", "-x509", *KEY, "-keyout", f"{ca}.key", "-out", f"{ca}.crt",
                "-days", "2", "-subj", f"/CN={ca}")  # fmt: skip
        openssl(folder, "x509", "-in", f"{ca}.crt", "-outform", "DER", "-out", f"{ca}.der")
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost\n", encoding="utf-8")
    (folder / "mp-1.ext").write_text("extendedKeyUsage=clientAuth\n", encoding="utf-8")
    for name, subject in (("server", "localhost"), ("mp-1", "mp-1")):
        openssl(folder, "req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={subject}")  # fmt: skip
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.crt", "-days", "2", "-extfile", f"{name}.ext")  # fmt: skip
    openssl(folder, "x509", "-in", "mp-1.crt", "-outform", "DER", "-out", "device.crt.der")
    openssl(folder, "ec", "-in", "mp-1.key", "-outform", "DER", "-out", "device.key.der")
    return folder


@pytest.fixture
def site(programs: Programs, tmp_path: Path, certificates: Path) -> Iterator[tuple[Gateway, int]]:
    """A gateway on a plain listener of mosquitto, and the port of its TLS listener for devices."""
    tool("mosquitto")
    tls_port = free_port()
    acl = tmp_path / "acl"
    acl.write_text(
        "topic readwrite headrace/v1/#\npattern readwrite headrace/v1/%u/#\n", encoding="utf-8"
    )
    listener = [
        f"acl_file {acl}",
        f"listener {tls_port} 127.0.0.1",
        f"cafile {certificates / 'ca.crt'}",
        f"certfile {certificates / 'server.crt'}",
        f"keyfile {certificates / 'server.key'}",
        "require_certificate true",
        "use_identity_as_username true",
    ]
    with mosquitto(tmp_path, lines=listener) as broker:
        gateway = make_gateway(programs, kind="external", mqtt_port=broker.port)
        gateway.start()
        gateway.wait_ready()
        yield gateway, tls_port


def device(
    board: Callable[[list[str]], Board], folder: Path, port: int, certificates: Path, ca: str
) -> Board:
    files = {"ca": ca, "cert": "device.crt.der", "key": "device.key.der"}
    tls = {key: str(certificates / name) for key, name in files.items()}
    settings = write_settings(folder, port, host="localhost", tls=tls)
    argv = [tool("micropython"), *HEAP, str(HERE / "mp_device.py"), str(FIRMWARE), str(settings)]
    return board([*argv, str(folder / "ledger"), str(folder / "stop")])


def test_readings_travel_over_mutual_tls_through_a_cut(
    site: tuple[Gateway, int],
    board: Callable[[list[str]], Board],
    certificates: Path,
    tmp_path: Path,
) -> None:
    """A session that breaks in the middle of a record is opened again, and nothing is missing."""
    gateway, tls_port = site
    link = Link(tls_port)
    made = device(board, tmp_path, link.port, certificates, "ca.der")
    made.power_on()
    more_readings(tmp_path / "ledger", 60)
    link.cut()
    more_readings(tmp_path / "ledger", 100)
    link.mend()
    more_readings(tmp_path / "ledger", 20)
    (tmp_path / "stop").touch()
    assert made.wait_end(30) == 0, made.output()
    link.close()
    result = compare(tmp_path / "ledger", gateway.journal, "mp-1")
    assert result.sampled >= 180
    assert (result.lost, result.changed, result.duplicated) == ([], [], [])


def test_a_broker_of_another_ca_gets_nothing(
    site: tuple[Gateway, int],
    board: Callable[[list[str]], Board],
    certificates: Path,
    tmp_path: Path,
) -> None:
    """The device says so, keeps sampling, and keeps its readings."""
    gateway, tls_port = site
    made = device(board, tmp_path, tls_port, certificates, "other.der")
    made.power_on()
    wait_until(lambda: made.output().count("no connection") > 1, 20, "it tries again")
    more_readings(tmp_path / "ledger", 20)
    assert "broker's certificate" in made.output()
    made.cut_power()
    assert gateway.get("api/v1/devices") == []
