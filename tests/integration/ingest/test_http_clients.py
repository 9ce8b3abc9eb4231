"""The clients that people have, writing to the HTTP ingest."""

from __future__ import annotations

import base64
import gzip
import http.client
import socket
from pathlib import Path

import influxdb
import influxdb_client
import pytest
from influxdb.exceptions import InfluxDBClientError
from influxdb_client.client.write_api import SYNCHRONOUS, WriteOptions
from influxdb_client.rest import ApiException

from tests.http_ingest import http_site
from tests.servers import wait_until

REQUESTS = sorted((Path(__file__).parent / "http_requests").glob("*.txt"))
T0 = 1_790_000_000


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with http_site(tmp_path_factory.mktemp("clients")) as site:
        yield site


def of(site, device):
    return sorted(reading[1:] for reading in site.readings() if reading[0] == device)


def client_v2(site, device, **options):
    token = site.token(device) if device else "wrong"
    return influxdb_client.InfluxDBClient(url=site.url, token=token, org="acme", **options)


def client_v1(site, device, **options):
    token = site.token(device) if device else "wrong"
    return influxdb.InfluxDBClient(
        "127.0.0.1", site.port, "anybody", token, "plant", retries=1, **options
    )


@pytest.mark.filterwarnings("ignore:This method is deprecated")  # health, which people call
@pytest.mark.parametrize("packed", [False, True])
def test_the_client_of_version_2_writes(site, packed):
    """Points, as it makes lines of them; packed or not."""
    device = f"v2-{packed}"
    with client_v2(site, device, enable_gzip=packed) as client:
        assert client.ping()
        assert client.health().status == "pass"
        point = influxdb_client.Point("tank").tag("site", "north").field("level", 1.5).time(T0, "s")
        client.write_api(write_options=SYNCHRONOUS).write(
            "plant", record=point, write_precision="s"
        )
    assert of(site, device) == [("tank.level;site=north", T0 * 10**6, 1.5)]


def test_the_client_of_version_2_writes_in_batches(site):
    """From its own thread, a thousand points in a few requests."""
    with client_v2(site, "v2-batches") as client:
        options = WriteOptions(batch_size=200, flush_interval=50)
        with client.write_api(write_options=options) as api:
            api.write("plant", record=[f"tank level={n} {T0 + n}000000000" for n in range(1_000)])
    wait_until(lambda: len(of(site, "v2-batches")) == 1_000, 10, "all are there")


def test_the_client_of_version_2_says_what_was_wrong(site):
    """Status and message reach its exception."""
    with client_v2(site, "v2-bad") as client:
        with pytest.raises(ApiException) as caught:
            client.write_api(write_options=SYNCHRONOUS).write("plant", record="tank level=nope")
        assert caught.value.status == 400
        assert "bad_value: line 1" in caught.value.message
    with client_v2(site, "") as client:
        with pytest.raises(ApiException) as caught:
            client.write_api(write_options=SYNCHRONOUS).write("plant", record="tank level=1")
        assert caught.value.status == 401


@pytest.mark.parametrize("packed", [False, True])
def test_the_client_of_version_1_writes(site, packed):
    """It makes its database first."""
    device = f"v1-{packed}"
    client = client_v1(site, device, gzip=packed)
    assert client.ping().startswith("headrace-")
    client.create_database("plant")
    point = {
        "measurement": "tank",
        "tags": {"site": "north"},
        "time": T0,
        "fields": {"level": 1.5, "n": 2},
    }
    assert client.write_points([point], time_precision="s")
    assert of(site, device) == [
        ("tank.level;site=north", T0 * 10**6, 1.5), ("tank.n;site=north", T0 * 10**6, 2.0),
    ]  # fmt: skip


def test_the_client_of_version_1_says_what_was_wrong(site):
    """Its exception has the answer's body."""
    with pytest.raises(InfluxDBClientError, match="bad_value") as caught:
        client_v1(site, "v1-bad").write("tank level=nope", {"db": "plant"}, protocol="line")
    assert caught.value.code == 400
    with pytest.raises(InfluxDBClientError, match="not known") as caught:
        client_v1(site, "").write_points([{"measurement": "a", "fields": {"b": 1.0}}])
    assert caught.value.code == 401


@pytest.mark.parametrize("path", REQUESTS, ids=[path.stem for path in REQUESTS])
def test_requests_as_clients_send_them(tmp_path_factory, path):
    """Each file is a request, its answer, and what is in the journal afterwards."""
    request, _, rest = path.read_text(encoding="utf-8").partition("--- answer\n")
    answer, _, readings = rest.partition("--- readings\n")
    status, *holds = answer.split()
    with http_site(tmp_path_factory.mktemp(path.stem)) as site:
        found = exchange(site, *request.rstrip("\n").split("\n\n", 1))
        assert found.split()[1] == status, found
        assert all(text in found for text in holds), found
        there = [f"{name} {time} {value!r}" for _, name, time, value in site.readings()]
        assert sorted(there) == sorted(readings.splitlines())


def exchange(site, head, body):
    """Send it byte for byte, and read until the answer is whole."""
    token = site.token("pump-1")
    basic = base64.b64encode(f"telegraf:{token}".encode()).decode()
    sent = body.encode()
    if "Content-Encoding: gzip" in head:
        sent = gzip.compress(sent)
    if "Transfer-Encoding: chunked" in head:
        sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(sent), sent)
    head = head.format(token=token, basic=basic, length=len(sent)).replace("\n", "\r\n")
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as sock:
        sock.sendall(head.encode() + b"\r\n\r\n" + sent)
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        return f"HTTP {answer.status}\n{answer.headers}{answer.read().decode()}"
