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

from headrace.limits.wire import MAX_PAYLOAD_BYTES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
SITE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = SITE["services"]
OURS = (
    "gateway", "cloud-sync", "serve", "pump-1", "pump-2", "influxdb-init", "broker-files", "demo-codes",
    "mosquitto",
)  # fmt: skip
MOSQUITTO = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")

#: Keys of a service that the Compose specification has and that are used here; one more is either a
#: typing error or belongs on this list.
KEYS = {
    "build", "cap_add", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck",
    "image", "logging", "mem_limit", "networks", "pids_limit", "ports", "profiles", "read_only", "restart",
    "secrets", "security_opt", "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip


def variables() -> dict[str, str]:
    """.env.example as compose reads it."""
    lines = (FOLDER / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value.strip('"') for name, value in pairs}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder after prepare.sh."""
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(
        FOLDER,
        root / "deploy" / "compose",
        ignore=shutil.ignore_patterns(".env", "config", "secrets"),
    )
    shutil.copytree(ROOT / "deploy" / "mosquitto", root / "deploy" / "mosquitto")
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
    for_prepare = {"SITE", "SITE_NAMES"}
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
        assert "cap_add" not in service or name == "mosquitto"


def test_no_container_fills_the_machine() -> None:
    """Logs are cut by all; ours have the memory that their systemd unit has. Databases take what they need."""
    for name, service in SERVICES.items():
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name
        assert ("mem_limit" in service) == ("pids_limit" in service) == (name in OURS), name
    for name, unit in {
        "gateway": "gateway", "cloud-sync": "cloud-sync", "serve": "headrace-serve", "pump-1": "edge-agent",
    }.items():  # fmt: skip
        text = (ROOT / "deploy" / "systemd" / f"{unit}.service").read_text(encoding="utf-8")
        limit = SERVICES[name]["mem_limit"].upper()
        assert f"\nMemoryMax={limit}\n" in text, name


def test_only_broker_and_enrolment_are_reachable_from_outside() -> None:
    """Pages without login are published on loopback; everything else not at all."""
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    outside = [port for port in published if not port.startswith("127.0.0.1:")]
    assert sorted(port.rsplit(":", 1)[1] for port in outside) == ["8443", "8883"]
    assert sorted(port.rsplit(":", 1)[1] for port in set(published) - set(outside)) == [
        "3000", "8080", "8088",
    ]  # fmt: skip


def test_the_cas_keys_are_in_the_gateways_containers_only() -> None:
    """Not where mosquitto or cloud-sync could read them, though they share volumes with it."""
    mounted = {
        name for name, service in SERVICES.items()
        if any(mount.startswith("gateway-pki:") for mount in service.get("volumes", []))
    }  # fmt: skip
    assert mounted == {"gateway", "broker-files", "demo-codes"}
    assert "broker-files:/exchange:ro" in SERVICES["mosquitto"]["volumes"]


def test_configurations_name_files_that_the_container_has(prepared: Path) -> None:
    """Every /run/secrets path is a secret of that very service, and they are TOML."""
    files = {
        "gateway": prepared / "config" / "gateway.toml",
        "cloud-sync": prepared / "config" / "cloud_sync.toml",
        "serve": prepared / "config" / "serve.toml",
        "pump-1": prepared / "demo" / "pump-1.toml",
        "pump-2": prepared / "demo" / "pump-2.toml",
    }
    for name, path in files.items():
        text = path.read_text(encoding="utf-8")
        tomllib.loads(text)
        named = set(re.findall(r"/run/secrets/(\w+)", text))
        assert named <= set(SERVICES[name].get("secrets", [])), name


def test_mosquitto_finds_what_its_configuration_names() -> None:
    """The files of the gateway in memory, the data in its volume, and the port that is published."""
    folders = {Path(path).parent for path in re.findall(r"^\w*file (\S+)$", MOSQUITTO, re.M)}
    service = SERVICES["mosquitto"]
    assert {str(folder) for folder in folders} == {service["tmpfs"][0].split(":")[0]}
    data = re.search(r"^persistence_location (\S+)/$", MOSQUITTO, re.M)
    assert data is not None
    assert f"mosquitto-data:{data[1]}" in service["volumes"]
    assert re.search(r"^listener 8883$", MOSQUITTO, re.M)


def test_prepare_puts_names_and_ports_into_the_configuration(prepared: Path) -> None:
    """What devices are told is what .env publishes; the containers' own names stand beside it."""
    enrol = tomllib.loads((prepared / "config" / "gateway.toml").read_text())["enrol"]
    settings = variables()
    assert enrol["names"] == [*settings["SITE_NAMES"].split(), "gateway", "mosquitto"]
    assert enrol["broker_host"] == enrol["names"][0]
    assert enrol["broker_port"] == int(settings["MQTT_PORT"])
    assert enrol["public_port"] == int(settings["ENROL_PORT"])


def test_the_broker_takes_what_the_gateway_takes() -> None:
    """A payload that one of them refuses and the other not would be sent for ever."""
    found = re.search(r"^max_packet_size (\d+)$", MOSQUITTO, re.M)
    assert found is not None
    assert MAX_PAYLOAD_BYTES < int(found[1]) <= MAX_PAYLOAD_BYTES + 65_536


def test_prepare_again_changes_nothing(prepared: Path) -> None:
    """A second run after an update keeps keys, passwords and the site's own configuration."""
    kept = {
        path: path.read_bytes()
        for folder in ("secrets", "config")
        for path in (prepared / folder).iterdir()
    }
    subprocess.run(["sh", prepared / "prepare.sh"], check=True, capture_output=True)
    assert {path: path.read_bytes() for path in kept} == kept


def test_the_page_names_what_there_is() -> None:
    """Scripts, services, targets and variables of docs/how-to/gateway-container.md."""
    page = (ROOT / "docs" / "how-to" / "gateway-container.md").read_text(encoding="utf-8")
    for path in re.findall(r"(?:sh|--file) (deploy/\S+)", page):
        assert (ROOT / path).is_file(), path
    assert set(re.findall(r"docker compose (?:exec|restart) (\S+?)[ `]", page)) <= set(SERVICES)
    dockerfile = (ROOT / "deploy" / "container" / "Dockerfile").read_text(encoding="utf-8")
    for target in re.findall(r"--target (\S+)", page):
        assert f"AS {target}\n" in dockerfile
    assert set(re.findall(r"`?(MQTT_[A-Z]+|SITE_[A-Z]+|ENROL_[A-Z]+|HEADRACE_[A-Z]+)\b", page)) <= {
        *variables(), "HEADRACE_EPHEMERAL",
    }  # fmt: skip
    assert f":{variables()['CONSOLE_PORT']}`" in page
    assert f":{variables()['GRAFANA_PORT']}`" in page
