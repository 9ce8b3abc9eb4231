"""The site of deploy/compose as text: what can be wrong before anything is pulled or started."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.limits import MAX_PAYLOAD_BYTES
from headrace.topics import DEFAULT_ROOT

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
SITE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = SITE["services"]
OURS = ("gateway", "cloud-sync", "pump-1", "pump-2", "influxdb-init")

#: Keys of a service that the Compose specification has and that are used here; one more is either a
#: typing error or belongs on this list.
KEYS = {
    "build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck",
    "image", "networks", "ports", "profiles", "read_only", "restart", "secrets", "security_opt",
    "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip


def variables() -> dict[str, str]:
    """.env.example as compose reads it."""
    lines = (FOLDER / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value.strip('"') for name, value in pairs}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder after prepare.sh."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(
        FOLDER,
        root / "deploy" / "compose",
        ignore=shutil.ignore_patterns(".env", "config", "secrets", "private"),
    )
    shutil.copytree(ROOT / "dashboards", root / "dashboards")
    folder = root / "deploy" / "compose"
    subprocess.run(["sh", folder / "prepare.sh"], check=True, capture_output=True)
    return folder


def test_services_have_keys_of_the_specification_only() -> None:
    """An engine that ignores an unknown key ignores what we meant by it."""
    assert set(SITE) - {key for key in SITE if key.startswith("x-")} == {
        "name", "services", "networks", "volumes", "secrets",
    }  # fmt: skip
    for name, service in SERVICES.items():
        assert set(service) <= KEYS, name


def test_every_variable_is_in_the_example_and_every_one_there_is_used() -> None:
    """`docker compose up` with a copy of the example asks for nothing and ignores nothing."""
    used = set(re.findall(r"(?<!\$)\$\{?([A-Z][A-Z0-9_]*)", TEXT))
    for_prepare = {"SITE", "MQTT_NAMES"}
    assert used | for_prepare == set(variables())
    script = (FOLDER / "prepare.sh").read_text(encoding="utf-8")
    assert all(f"${name}" in script for name in for_prepare)


def test_what_is_mounted_exists(prepared: Path) -> None:
    """A file that is missing would be made by the engine, as an empty folder."""
    for name, service in SERVICES.items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (prepared / source).exists(), (name, source)
            else:
                assert source in SITE["volumes"], (name, source)


def test_every_secret_is_a_file_that_prepare_makes(prepared: Path) -> None:
    """None is missing, none is made in vain, and only its owner can enter the folder."""
    files = {(prepared / secret["file"]).resolve() for secret in SITE["secrets"].values()}
    assert {path.resolve() for path in (prepared / "secrets").iterdir()} == files
    assert (prepared / "secrets").stat().st_mode & 0o077 == 0
    assert (prepared / "private").stat().st_mode & 0o077 == 0


def test_services_name_secrets_and_networks_that_there_are() -> None:
    """And every secret is somebody's."""
    named = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert named == set(SITE["secrets"])
    assert all(service["networks"] == ["site"] for service in SERVICES.values())


def test_no_secret_stands_in_an_environment() -> None:
    """Environments are shown by `inspect` and inherited by children; a path to a file may stand."""
    telling = re.compile("PASSWORD|TOKEN|SECRET|KEY")
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            assert not telling.search(key) or str(value).startswith("/run/secrets/"), (name, key)


def test_services_start_in_order_of_health() -> None:
    """Who is waited for has a health check, or ends."""
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert SERVICES[other]["healthcheck"]["test"], (name, other)
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "on-failure", (name, other)


def test_our_containers_have_no_rights_and_write_only_to_volumes() -> None:
    """Read-only root, no capabilities, no new privileges."""
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_only_the_broker_is_reachable_from_outside() -> None:
    """Pages without login are published on loopback; everything else not at all."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"mosquitto", "gateway", "grafana"}
    for name in ("gateway", "grafana"):
        assert all(port.startswith("127.0.0.1:") for port in published[name])


def test_configurations_name_files_that_the_container_has(prepared: Path) -> None:
    """Every /run/secrets path is a secret of that very service."""
    files = {
        "gateway": prepared / "config" / "gateway.toml",
        "cloud-sync": prepared / "config" / "cloud_sync.toml",
        "pump-1": prepared / "demo" / "pump-1.toml",
        "pump-2": prepared / "demo" / "pump-2.toml",
        "mosquitto": prepared / "mosquitto" / "mosquitto.conf",
    }
    for name, path in files.items():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            tomllib.loads(text)
        named = set(re.findall(r"/run/secrets/(\w+)", text))
        assert named, name
        assert named <= set(SERVICES[name]["secrets"]), name


def test_the_broker_takes_what_the_gateway_takes() -> None:
    """A payload that one of them refuses and the other not would be sent for ever."""
    text = (FOLDER / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
    found = re.search(r"^max_packet_size (\d+)$", text, re.M)
    assert found is not None
    assert MAX_PAYLOAD_BYTES < int(found[1]) <= MAX_PAYLOAD_BYTES + 65_536


def test_a_device_may_speak_for_itself_alone() -> None:
    """Every pattern of the ACL holds the name in the certificate, at the device's place."""
    text = (FOLDER / "mosquitto" / "acl").read_text(encoding="utf-8")
    patterns = re.findall(r"^pattern (read|write) (\S+)$", text, re.M)
    assert {topic.split("/")[len(DEFAULT_ROOT.split("/"))] for _, topic in patterns} == {"%u"}
    assert "readwrite" not in text


def test_prepare_again_changes_nothing(prepared: Path) -> None:
    """A second run after an update keeps keys, passwords and the site's own configuration."""
    kept = {
        path: path.read_bytes()
        for folder in ("secrets", "private", "config")
        for path in (prepared / folder).iterdir()
    }
    subprocess.run(["sh", prepared / "prepare.sh"], check=True, capture_output=True)
    assert {path: path.read_bytes() for path in kept} == kept


@pytest.mark.parametrize("name", ["../escape", "gateway", "-x", "a b", ""])
def test_prepare_makes_no_certificate_for_a_name_that_is_none(prepared: Path, name: str) -> None:
    """A path, an option, or the name of the site's own programs."""
    done = subprocess.run(
        ["sh", prepared / "prepare.sh", "device", name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.strip()


def test_prepare_makes_a_certificate_for_one_more_device(prepared: Path, tmp_path: Path) -> None:
    """Its CN is the device, and the site's CA stands for it."""
    subprocess.run(
        ["sh", prepared / "prepare.sh", "device", "mill-1"], check=True, capture_output=True
    )
    secrets = prepared / "secrets"
    try:
        said = subprocess.run(
            ["openssl", "verify", "-CAfile", secrets / "site_ca.crt", secrets / "mill-1.crt"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert said.stdout.strip().endswith("OK"), said.stderr
    finally:
        for name in ("mill-1.crt", "mill-1.key"):
            (secrets / name).unlink()


def test_the_page_names_what_there_is() -> None:
    """Scripts, services, targets and variables of docs/how-to/gateway-container.md."""
    page = (ROOT / "docs" / "how-to" / "gateway-container.md").read_text(encoding="utf-8")
    for path in re.findall(r"(?:sh|--file) (deploy/\S+)", page):
        assert (ROOT / path).is_file(), path
    assert set(re.findall(r"docker compose (?:exec|restart) (\S+?)[ `]", page)) <= set(SERVICES)
    dockerfile = (ROOT / "deploy" / "container" / "Dockerfile").read_text(encoding="utf-8")
    for target in re.findall(r"--target (\S+)", page):
        assert f"AS {target}\n" in dockerfile
    assert set(re.findall(r"`?(MQTT_[A-Z]+|HEADRACE_[A-Z]+)\b", page)) <= {
        *variables(), "HEADRACE_EPHEMERAL",
    }  # fmt: skip
    assert f":{variables()['CONSOLE_PORT']}`" in page
    assert f":{variables()['GRAFANA_PORT']}`" in page
