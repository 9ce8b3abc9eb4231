"""Readings by HTTP, through a real gateway."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import cbor2
import pytest
import zstandard

from headrace.limits.wire import MAX_PAYLOAD_BYTES
from tests.batches import payload
from tests.http_ingest import http_site
from tests.servers import wait_until

T0 = 1_790_000_000
LINE = f"tank level=1.5 {T0}000000000".encode()
READING = ("pump-1", "tank.level", T0 * 1_000_000, 1.5)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """One gateway for all tests here; each has devices of its own."""
    with http_site(tmp_path_factory.mktemp("http")) as site:
        yield site


def of(site, device):
    return [reading[1:] for reading in site.readings() if reading[0] == device]


@pytest.mark.parametrize(
    ("path", "time", "micros"),
    [
        ("/api/v2/write?org=o&bucket=b", f"{T0}000000001", T0 * 10**6),
        ("/api/v2/write?precision=us", f"{T0}000001", T0 * 10**6 + 1),
        ("/api/v2/write?precision=ms", f"{T0}001", T0 * 10**6 + 1_000),
        ("/api/v2/write?precision=s", f"{T0}", T0 * 10**6),
        ("/write?db=d", f"{T0}000000000", T0 * 10**6),
        ("/write?db=d&rp=r&precision=n", f"{T0}000000000", T0 * 10**6),
        ("/write?precision=u", f"{T0}000001", T0 * 10**6 + 1),
        ("/write?precision=m", f"{T0 // 60}", T0 // 60 * 60 * 10**6),
        ("/write?precision=h", f"{T0 // 3600}", T0 // 3600 * 3600 * 10**6),
        ("/api/v3/write_lp?db=d&precision=second", f"{T0}", T0 * 10**6),
        ("/api/v3/write_lp?db=d", f"{T0}001", T0 * 10**6 + 1_000),
        ("/api/v3/write_lp?db=d&precision=auto", f"{T0}000001", T0 * 10**6 + 1),
        ("/api/v3/write_lp?db=d", f"{T0}", T0 * 10**6),
    ],
)
def test_lines_are_written_with_the_precision_of_each_version(site, path, time, micros):
    """A unit that is misread dates a reading into another century."""
    device = f"p-{abs(hash((path, time)))}"
    answer = site.write(site.token(device), f"tank level=1.5 {time}".encode(), path)
    assert (answer.status, answer.body) == (204, b"")
    assert of(site, device) == [("tank.level", micros, 1.5)]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/senml+json", b'[{"n":"level","v":1.5,"t":1790000000}]'),
        ("application/json; charset=utf-8", b'[{"n":"level","v":1.5,"t":1790000000}]'),
        ("application/senml+cbor", cbor2.dumps([{0: "level", 2: 1.5, 6: T0}])),
        ("application/vnd.apache.arrow.stream", payload("00000000000000aa", 1, 3)),
        ("text/plain", LINE),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_every_format_of_the_wire_is_taken(site, kind, body, encoding):
    """Told by Content-Type, packed or not."""
    device = f"f-{abs(hash((kind, encoding)))}"
    packed = {"gzip": gzip.compress, "zstd": zstandard.compress}.get(encoding, bytes)(body)
    answer = site.write(
        site.token(device), packed, f"/v1/readings/{device}",
        Content_Type=kind, Content_Encoding=encoding,
    )  # fmt: skip
    assert (answer.status, answer.body) == (204, b"")
    assert of(site, device)


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/v1/readings/pump-1", {}, b"x", 415),
        ("/v1/readings/pump-1", {"Content_Type": "application/xml"}, b"x", 415),
        ("/v1/readings/pump-1?precision=s", {"Content_Type": "application/json"}, b"[]", 400),
        ("/v1/readings/pump-2", {"Content_Type": "application/json"}, b"[]", 403),
        ("/v1/readings/..", {"Content_Type": "application/json"}, b"[]", 400),
        ("/api/v2/write", {"Headrace_Device": "pump-2"}, LINE, 403),
        ("/api/v2/write", {"Headrace_Device": "p\xfcmp"}, LINE, 400),
        ("/api/v2/write?precision=h", {}, LINE, 400),
        ("/api/v2/write", {"Content_Encoding": "br"}, LINE, 415),
        ("/api/v2/write", {"Content_Encoding": "gzip"}, LINE, 400),
        ("/api/v2/write", {"Content_Encoding": "gzip"}, gzip.compress(LINE, mtime=0)[:-9], 400),
        ("/api/v2/write", {"Content_Encoding": "zstd"}, LINE, 400),
        ("/api/v2/write", {"Idempotency_Key": "a b"}, LINE, 400),
        ("/api/v2/write", {}, b"", 400),
        ("/api/v2/nothing", {}, LINE, 404),
        ("/write", {}, b" " * (MAX_PAYLOAD_BYTES + 1), 413),
        ("/write", {"Content_Encoding": "gzip"}, gzip.compress(b" " * MAX_PAYLOAD_BYTES * 2, mtime=0), 413),
        ("/write", {"Content_Encoding": "zstd"}, zstandard.compress(b" " * MAX_PAYLOAD_BYTES * 2), 413),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_a_status_and_a_sentence(
    site, path, headers, body, status
):
    """And nothing of it reaches journal or quarantine: it never became anybody's readings."""
    before = site.quarantine(), len(site.rows())
    answer = site.write(site.token(), body, path, **headers)
    assert answer.status == status, answer.body
    found = json.loads(answer.body)
    assert set(found) == {"code", "message", "error"}
    assert (site.quarantine(), len(site.rows())) == before


def test_what_is_refused_for_good_is_kept_in_quarantine(site):
    """400 with the reason, so that Telegraf drops it, and nobody loses it."""
    before = site.quarantine().get("bad_value", 0)
    answer = site.write(site.token(), LINE + b"\ntank level=nope\n")
    assert answer.status == 400
    assert "bad_value: line 2" in answer.message
    assert "kept in quarantine" in answer.message
    assert site.quarantine()["bad_value"] == before + 1


def test_what_was_refused_can_be_replayed(site):
    """On the device's topic, with the unit of its times."""
    bad = site.write(site.token("alert-1"), b"alert/x v=1 1790000000", "/write?precision=s")
    assert bad.status == 400
    listed = json.loads(site.command("quarantine", "ls", "--json"))
    number = next(item["id"] for item in listed if item["device"] == "alert-1")
    assert "replayed 1" in site.command("quarantine", "replay", str(number))


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Token",
        "Token nonsense",
        "Bearer hrt_x",
        "Basic !!!",
        "Basic bm9ib2R5Om5v",
        "Digest a=b",
    ],
)
def test_without_a_token_nothing_is_taken(site, authorization):
    """401 before the body is read."""
    headers = {"Authorization": authorization} if authorization else {}
    answer = site.request("POST", "/api/v2/write", LINE, headers)
    assert answer.status == 401
    assert "www-authenticate" in answer.headers


def test_tokens_show_themselves_as_each_version_does(site):
    """Token, Bearer, Basic with any user, and the query of version 1."""
    token = site.token("auth-1")
    basic = base64.b64encode(f"telegraf:{token}".encode()).decode()
    for headers, query in [
        ({"Authorization": f"Token {token}"}, ""),
        ({"Authorization": f"Bearer {token}"}, ""),
        ({"Authorization": f"Basic {basic}"}, ""),
        ({}, f"?u=anybody&p={token}"),
    ]:
        assert site.request("POST", f"/write{query}", LINE, headers).status == 204


def test_a_revoked_token_is_refused_at_once(site):
    """By a gateway that runs, without a reload; so is one that has expired."""
    token = site.token("gone-1")
    assert site.write(token, LINE).status == 204
    assert site.command("token", "revoke", "gone-1") == "revoked 1"
    assert site.write(token, LINE).status == 401
    short = site.token("gone-2", "--expires", "1s")
    wait_until(lambda: site.write(short, LINE).status == 401, 10, "the token has expired")


def test_tokens_are_kept_as_hashes_for_the_owner_alone(site):
    """Whoever reads the file has nothing to send."""
    token = site.token("kept-1")
    path = site.gateway.data / "http-tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text()
    listed = json.loads(site.command("token", "ls", "--json"))
    assert [row["devices"] for row in listed if row["devices"] == "kept-1"] == ["kept-1"]
    assert "token" not in listed[0]


def test_a_token_for_many_needs_to_hear_which(site):
    """Lines do not say so by themselves."""
    token = site.token("line-*")
    assert "for whom" in site.write(token, LINE).message
    assert site.write(token, LINE, Headrace_Device="line-1").status == 204
    assert site.write(token, LINE, Headrace_Device="pump-1").status == 403
    assert of(site, "line-1") == [READING[1:]]


def test_a_repeated_request_is_committed_once(site):
    """Also when all of them come at the same time."""
    token = site.token("key-1")

    def send(_):
        return site.write(token, LINE, Idempotency_Key="7b3c").status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(16))) == {204}
    assert of(site, "key-1") == [READING[1:]]
    other = site.write(token, LINE.replace(b"1.5", b"2.5"), Idempotency_Key="7b3c")
    assert other.status == 422
    assert site.write(token, LINE, Idempotency_Key="another").status == 204
    assert len(of(site, "key-1")) == 2


def test_a_repeated_request_is_committed_once_over_a_kill(tmp_path):
    """The key is in the transaction of the readings."""
    with http_site(tmp_path) as site:
        token = site.token()
        assert site.write(token, LINE, Idempotency_Key="a").status == 204
        site.gateway.program.kill()
        site.start()
        assert site.write(token, LINE, Idempotency_Key="a").status == 204
        assert site.readings() == [READING]


def test_lines_of_many_devices_are_dealt_out_by_a_tag(tmp_path):
    """Each device's lines are its own batch; a token's pattern holds for all of them."""
    with http_site(tmp_path, ingest='device_tag = "host"') as site:
        token = site.token("web-*")
        body = (
            f"cpu,host=web-1 busy=1 {T0}\ncpu,cpu=0,host=web-2 busy=2 {T0}\n"
            f'log,host=web-1 text="two\nlines,host=db-1 x=1" {T0}\n'
        ).encode()
        assert site.write(token, body, "/api/v2/write?precision=s").status == 204
        micros = T0 * 10**6
        assert sorted(site.readings()) == [
            ("web-1", "cpu.busy;host=web-1", micros, 1.0),
            ("web-1", "log.text;host=web-1", micros, "two\nlines,host=db-1 x=1"),
            ("web-2", "cpu.busy;cpu=0;host=web-2", micros, 2.0),
        ]
        assert site.write(token, body.replace(b"host=web-2", b"host=db-1")).status == 403
        missing = site.write(token, b"cpu busy=1")
        assert (missing.status, "no tag 'host'" in missing.message) == (400, True)
        assert len(site.readings()) == 3


def test_clients_find_somebody_there(site):
    """What they ask before they write."""
    ping = site.request("GET", "/ping")
    assert (ping.status, "x-influxdb-version" in ping.headers) == (204, True)
    assert site.request("HEAD", "/ping").status == 204
    health = site.request("GET", "/health")
    assert (health.status, json.loads(health.body)["status"]) == (200, "pass")
    token = site.token()
    made = site.write(token, b"", "/query?q=CREATE%20DATABASE%20%22plant%22")
    assert (made.status, json.loads(made.body)) == (200, {"results": [{"statement_id": 0}]})
    assert site.write(token, b"", "/query?q=DROP%20DATABASE%20x").status == 400
    assert site.request("GET", "/write").status == 405


def test_the_page_and_the_document_are_served(site):
    """Without a token, and without another host."""
    page = site.request("GET", "/")
    assert page.status == 200
    assert b"/v1/readings/{device}" in page.body
    assert b"https://" not in page.body
    assert b"<script" not in page.body
    document = json.loads(site.request("GET", "/openapi.json").body)
    assert document["openapi"].startswith("3.1")


def test_answers_are_counted(site):
    """By status."""
    before = site.gateway.metric('headrace_gateway_http_requests_total{status="401"}')
    site.request("POST", "/write", LINE)
    assert site.gateway.metric('headrace_gateway_http_requests_total{status="401"}') == before + 1


def test_a_file_of_tokens_that_cannot_be_read_lets_nobody_in(tmp_path):
    """503, because it may be mended, and without the file's name; the log has that."""
    with http_site(tmp_path) as site:
        token = site.token()
        path = site.gateway.data / "http-tokens.json"
        good = path.read_bytes()
        path.write_bytes(b"{")
        answer = site.write(token, LINE)
        assert (answer.status, "tokens.json" in answer.message) == (503, False)
        assert str(path) in site.gateway.program.output()
        path.write_bytes(good)
        assert site.write(token, LINE).status == 204


def test_a_device_over_its_limit_is_told_when_to_come_again(tmp_path):
    """429 for its own requests, 503 where Telegraf's older plugin would throw 429 away; others go on."""
    limits = "[limits]\nreadings_per_s = 10\nburst_s = 1\n"
    with http_site(tmp_path, extra=limits) as site:
        token = site.token("*")
        many = "\n".join(f"tank level={n}" for n in range(300)).encode()
        assert site.write(token, many, Headrace_Device="busy").status == 204
        for path, status in (("/api/v2/write", 429), ("/write", 503)):
            answer = site.write(token, LINE, path, Headrace_Device="busy")
            assert answer.status == status
            assert 1 <= int(answer.headers["retry-after"]) <= 30
        assert site.write(token, LINE, Headrace_Device="quiet").status == 204
        assert len(of(site, "busy")) == 300


def test_a_gateway_that_stops_answers_what_it_has_taken(tmp_path):
    """Connections that are open and idle do not hold it up."""
    with http_site(tmp_path) as site:
        token = site.token()
        idle = socket.create_connection(("127.0.0.1", site.port))
        idle.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 204 " in idle.recv(4096)
        answered = []

        def write() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                while site.write(token, LINE).status == 204:
                    answered.append(1)

        thread = threading.Thread(target=write)
        thread.start()
        wait_until(lambda: answered, 20, "something is written")
        assert site.gateway.program.stop() == 0
        thread.join()
        assert len(answered) <= len(site.readings()) <= len(answered) + 1
        idle.close()


def test_a_counter_of_nanoseconds_goes_on_beyond_float64(site):
    """Telegraf's diskio and cgroup counters pass 2^53 after 104 days: kept as the nearest, counted, noticed."""
    before = site.gateway.metric("headrace_gateway_widened_readings_total")
    lines = f"diskio,name=sda io_time=9007199254740993i,reads=7i {T0}000000000".encode()
    assert site.write(site.token("host-104"), lines).status == 204
    (counter, reads) = of(site, "host-104")
    assert (counter[0], counter[2]) == ("diskio.io_time;name=sda", 9007199254740992.0)
    assert reads[2] == 7.0
    assert site.gateway.metric("headrace_gateway_widened_readings_total") == before + 1
    wait_until(lambda: _notices(site, "host-104"), 10, "a notice of it")
    assert _notices(site, "host-104") == [("precision", "diskio.io_time;name=sda")]


def _notices(site, device):
    notices = site.gateway.get("api/v1/notices")
    return [(each["what"], each["series"]) for each in notices if each["device"] == device]
