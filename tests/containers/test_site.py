"""The composed site carries readings: from devices with certificates to InfluxDB and the S3 lake."""

from __future__ import annotations

import json
import ssl
import threading
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.containers.site import Site
from tests.servers import wait_until
from tests.servers.chromium import EXECUTABLE, chromium


def stat(site: Site, device: str) -> dict[str, Any]:
    """The counts of a device's buffer, read in its container."""
    path = "/var/lib/headrace/buffer.db"
    found: dict[str, Any] = json.loads(
        site.exec(device, "edge-agent", "buffer", "stat", path, "--json")
    )
    return found


def client(site: Site, name: str) -> mqtt.Client:
    """Somebody with the certificate of ``name``, from outside the containers."""
    secrets = site.folder / "secrets"
    made = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{name}")
    made.tls_set(
        ca_certs=str(secrets / "site_ca.crt"),
        certfile=str(secrets / f"{name}.crt") if name else None,
        keyfile=str(secrets / f"{name}.key") if name else None,
    )
    return made


def test_a_device_without_certificate_does_not_get_in(site: Site) -> None:
    """The broker ends the handshake or the first packet after it."""
    stranger = client(site, "")
    joined = threading.Event()
    stranger.on_connect = lambda *_: joined.set()
    try:
        stranger.connect("127.0.0.1", site.mqtt_port)
        stranger.loop_start()
        assert not joined.wait(2)
    except (ssl.SSLError, ConnectionError):
        pass
    finally:
        stranger.loop_stop()


def test_a_device_cannot_speak_for_another(site: Site) -> None:
    """What pump-1's certificate publishes under another name never reaches the gateway."""
    pump = client(site, "pump-1")
    connected = threading.Event()
    pump.on_connect = lambda *_: connected.set()
    pump.connect("127.0.0.1", site.mqtt_port)
    pump.loop_start()
    try:
        assert connected.wait(10)
        payload = b'[{"n":"x","v":1}]'
        pump.publish("headrace/v1/ghost/data/senml-json", payload, qos=1)
        pump.publish("headrace/v1/pump-1/data/senml-json", b"not a known format", qos=1)
        seen = site.get("/api/v1/devices")
        wait_until(lambda: "pump-1" in devices(site), 20, f"pump-1 is known: {seen}")
        assert "ghost" not in devices(site)
    finally:
        pump.disconnect()
        pump.loop_stop()


def devices(site: Site) -> set[str]:
    return {device["device"] for device in site.get("/api/v1/devices")}


def test_each_reading_is_in_the_lake_exactly_once(site: Site) -> None:
    """Through a broker that is away in the middle and a gateway that is killed: 1 to N, no more."""
    wait_until(lambda: stat(site, "pump-1")["acknowledged"] > 100, 30, "the first acks")
    site.engine.podman("stop", "--time", "10", site.container("mosquitto"))
    sampled = stat(site, "pump-1")["sampled"]
    wait_until(lambda: stat(site, "pump-1")["sampled"] > sampled + 80, 30, "buffering goes on")
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
    wait_until(lambda: site.query(sql)[0]["n"] >= last, 30, f"all are to be asked for: {last}")
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
    secrets = [
        path.read_text().strip()
        for path in (site.folder / "secrets").iterdir()
        if path.suffix not in {".crt", ".key"}
    ]
    for name in site.services:
        shown = json.dumps(site.engine.inspect("container", site.container(name)))
        assert not [secret for secret in secrets if secret in shown], name


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
