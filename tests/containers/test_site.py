"""The composed site carries readings: from devices with certificates to InfluxDB and the S3 lake."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.containers.engine import BASE, ROOT
from tests.containers.site import Site
from tests.enrolment import Client, run_enroll, tls_context
from tests.servers import wait_until
from tests.servers.agent import agent, log_of, write_agent_config
from tests.servers.chromium import EXECUTABLE, chromium

COUNTS = "SELECT device, count(*) AS n FROM readings GROUP BY device"


def stat(site: Site, device: str) -> dict[str, Any]:
    """The counts of a device's buffer, read in its container."""
    path = "/var/lib/headrace/buffer.db"
    found: dict[str, Any] = json.loads(
        site.exec(device, "edge-agent", "buffer", "stat", path, "--json")
    )
    return found


def client(site: Site, name: str = "") -> Client:
    """Somebody outside the containers; enrolled as ``name``, or with no certificate."""
    folder = site.folder / "devices"
    folder.mkdir(exist_ok=True)
    ca = folder / "ca.crt"
    ca.write_text(site.exec("gateway", "cat", "/var/lib/headrace/pki/ca.crt"), encoding="utf-8")
    certificate = folder / name if name else None
    if certificate is not None and not certificate.exists():
        enrol(site, name, "--out", certificate)
    return Client("any", site.mqtt_port, tls_context(ca, certificate)).connect()


def enrol(site: Site, name: str, *options: str | Path) -> None:
    """A code in the gateway's container, and with it a certificate over the published port."""
    said = site.exec("gateway", "gateway", "enroll", name)
    command = next(line.split() for line in said.splitlines() if "edge-agent" in line)
    result = run_enroll(*command[2:], *options)
    assert result.exit_code == 0, result.output


def test_a_device_without_certificate_does_not_get_in(site: Site) -> None:
    """The broker ends the handshake or the first packet after it."""
    assert client(site).refused


def test_a_device_cannot_speak_for_another(site: Site) -> None:
    """What mill-1's certificate publishes under another name never reaches the gateway."""
    thief, honest = client(site, "mill-1"), client(site, "mill-2")
    pack = b'[{"n":"x","v":1}]'
    sent = thief.publish("headrace/v1/ghost/data/senml-json", pack)
    wait_until(lambda: sent.is_published() or thief.down.is_set(), 60, "the broker is done with it")
    honest.publish("headrace/v1/mill-2/data/senml-json", pack)
    wait_until(lambda: "mill-2" in devices(site), 60, f"mill-2 is known: {devices(site)}")
    assert "ghost" not in devices(site)
    for one in (thief, honest):
        one.close()


def test_an_agent_outside_enrols_delivers_and_is_cut_off_at_once(
    site: Site, tmp_path: Path
) -> None:
    """By the commands of the page; when `gateway revoke` returns, its connection has ended."""
    host = '[[inputs]]\nplugin = "host"\n'
    config = write_agent_config(tmp_path, port=1, inputs=host, device="my-device")
    enrol(site, "pump-9", "--write-config", config)
    with agent(config):
        wait_until(lambda: "pump-9" in devices(site), 60, f"it delivers: {log_of(config)}")
        assert "trying again" not in log_of(config)
        said = site.exec("gateway", "gateway", "revoke", "pump-9")
        wait_until(lambda: "trying again" in log_of(config), 10, "it has lost its connection")
    assert "1 certificate revoked" in said
    ca, certificate = tmp_path / "tls" / "ca.crt", tmp_path / "tls"
    assert Client("any", site.mqtt_port, tls_context(ca, certificate)).connect().refused
    assert (
        run_enroll(
            f"https://localhost:{site.enrol_port}", "--renew", "--out", certificate
        ).exit_code
        == 1
    )


def devices(site: Site) -> set[str]:
    return {device["device"] for device in site.get("/api/v1/devices")}


def test_each_reading_is_in_the_lake_exactly_once(site: Site) -> None:
    """Through a broker that is away in the middle and a gateway that is killed: 1 to N, no more."""
    wait_until(lambda: stat(site, "pump-1")["acknowledged"] > 100, 60, "the first acks")
    site.engine.podman("stop", "--time", "10", site.container("mosquitto"))
    sampled = stat(site, "pump-1")["sampled"]
    wait_until(lambda: stat(site, "pump-1")["sampled"] > sampled + 80, 60, "buffering goes on")
    site.engine.podman("kill", "--signal", "KILL", site.container("gateway"))
    for name in ("mosquitto", "gateway"):
        if site.engine.inspect("container", site.container(name))["State"]["Status"] != "running":
            site.engine.podman("start", site.container(name))
    site.wait_healthy("gateway")
    behind = stat(site, "pump-1")["sampled"]
    wait_until(lambda: stat(site, "pump-1")["acknowledged"] >= behind, 60, "the backlog is through")
    last, stream = behind, stat(site, "pump-1")["stream"]
    sql = (
        "SELECT count(*) AS n, count(DISTINCT seq) AS different, min(seq) AS first FROM readings "
        f"WHERE device = 'pump-1' AND stream = '{stream}' AND seq <= {last}"
    )
    wait_until(lambda: site.query(sql)[0]["n"] >= last, 60, f"all are to be asked for: {last}")
    assert site.query(sql) == [{"n": last, "different": last, "first": 1}]
    wait_until(lambda: in_table(site, stream, last)["n"] >= last, 60, "the table on S3 has them")
    assert in_table(site, stream, last) == {"n": last, "different": last, "first": 1}


#: What the Iceberg table itself holds, without landing zone and journal.
_COUNT = """
import json, sys
from pathlib import Path
from cloud_sync.config import load
from headrace.lake.catalogue import load_readings, open_catalogue
table = load_readings(open_catalogue(load(Path("/etc/headrace/cloud_sync.toml")).lake))
rows = table.scan(row_filter=f"stream = '{sys.argv[1]}'", selected_fields=("seq",)).to_arrow()
seqs = [seq for seq in rows["seq"].to_pylist() if seq <= int(sys.argv[2])]
print(json.dumps({"n": len(seqs), "different": len(set(seqs)), "first": min(seqs, default=0)}))
"""


def in_table(site: Site, stream: str, last: int) -> dict[str, int]:
    """How many of a stream's first ``last`` readings are registered on S3."""
    said = site.exec("cloud-sync", "python3", "-c", _COUNT, stream, str(last))
    found: dict[str, int] = json.loads(said.splitlines()[-1])
    return found


def test_readings_are_in_influxdb_for_who_may_read(site: Site) -> None:
    """With the password that Grafana has, and not without."""
    word = (site.folder / "secrets" / "influxdb_grafana").read_text().strip()
    ask = (
        "influx",
        "-database",
        "iot",
        "-format",
        "csv",
        "-execute",
        'SELECT count("value") FROM "readings"',
    )
    said = site.exec("influxdb", *ask, "-username", "grafana", "-password", word)
    assert int(said.splitlines()[-1].split(",")[-1]) > 100
    refused = site.engine.run("podman", "exec", site.container("influxdb"), *ask, check=False)
    assert "authentication" in refused.stdout + refused.stderr


def test_our_containers_hold_no_secret_in_their_environment(site: Site) -> None:
    """As `inspect` shows it to everybody who may ask the engine."""
    secrets = [path.read_text().strip() for path in (site.folder / "secrets").iterdir()]
    for name in site.services:
        shown = json.dumps(site.engine.inspect("container", site.container(name)))
        assert not [secret for secret in secrets if secret in shown], name


def test_questions_are_answered_by_http_for_who_has_the_token(site: Site) -> None:
    """`headrace serve` in its container, on the lake in S3 and the gateway's journal."""
    there = {row["device"]: row["n"] for row in json.loads(site.ask(COUNTS))}
    assert min(there[name] for name in ("pump-1", "pump-2")) > 100
    with pytest.raises(HTTPError, match="401"):
        site.ask(COUNTS, token="no")


@pytest.mark.skipif(EXECUTABLE is None, reason="chromium is not installed")
def test_the_console_is_whole_in_a_browser(site: Site) -> None:
    """What was taken out of the image is not missed by the page."""
    with chromium() as browser:
        page = browser.new_page()
        wrong: list[str] = []
        page.on("response", lambda reply: wrong.append(reply.url) if reply.status >= 400 else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"http://127.0.0.1:{site.console_port}/")
        page.get_by_text("pump-1").first.wait_for(timeout=15_000)
        page.locator("canvas").first.wait_for(timeout=15_000)
        assert wrong == []


def test_rollups_are_computed_by_the_image_that_has_the_batch_layer(site: Site) -> None:
    """Built by the argument that docs/how-to/compute.md names; every number of a pump that is off is counted."""
    page = (ROOT / "docs" / "how-to" / "compute.md").read_text(encoding="utf-8")
    (extras,) = re.findall(r"--build-arg EXTRAS=([a-z]+)", page)
    image, cloud_sync = "localhost/headrace-cloud-sync-compute:test", site.container("cloud-sync")
    args = {"BASE": BASE, "VERSION": "test", "EXTRAS": extras}
    file = ROOT / "deploy" / "container" / "Dockerfile"
    site.engine.build(file, ROOT, target="cloud-sync", tag=image, args=args)
    print(f"cloud-sync with {extras}: {site.engine.unpacked_bytes(image) / 1e6:.0f} MB unpacked")
    stream = stat(site, "pump-1")["stream"]
    site.engine.podman("stop", "--time", "10", site.container("pump-1"))
    count = f"SELECT count(*) AS n FROM readings WHERE stream = '{stream}'"
    wait_until(
        lambda: in_table(site, stream, 1 << 62)["n"] == site.query(count)[0]["n"], 60,
        "all that the pump has sent is in the table on S3",
    )  # fmt: skip
    site.engine.podman(
        "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--volumes-from", cloud_sync,
        "--pod", site.engine.inspect("container", cloud_sync)["Pod"], "--network", f"{site.project}_site", image, "compute", "run", "--config", "/etc/headrace/cloud_sync.toml",
        timeout_s=300,
    )  # fmt: skip
    # Its own series: what the gateway says of it goes on.
    of_pump = "device = 'pump-1' AND name NOT LIKE '%/%'"
    rolled_up = f"SELECT sum(count) AS n, max(max) AS most FROM readings_1m WHERE {of_pump}"
    counted = f"SELECT count(value) AS n, max(value) AS most FROM readings WHERE {of_pump}"
    assert site.query(rolled_up) == site.query(counted)
